// pg_stat_activity: the sessions of this virtual cluster on this node.
#include "sql/catalog/object.h"
#include "sql/stored/session_context.h"
#include "sql/value/settings.h"

namespace anabranch {
namespace {

void AddSession(const CatalogSnapshot& snapshot, int64_t process_id, const std::string& user, CatalogRows* rows) {
  rows->Add()
      .Set("datname", std::string(kDatabaseName))
      .Set("pid", process_id)
      .Set("usesysid", snapshot.OwnerOid(user))
      .Set("usename", user);
}

// Of another session it is known whether a statement runs in it, and nothing of what it does between two.
void MakeActivity(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  const SessionContext& own = *snapshot.session;
  AddSession(snapshot, own.process_id, own.user, rows);
  rows->Set("application_name", snapshot.settings->Get("application_name").value_or(""));
  rows->Set("state", std::string("active"));
  if (own.sessions == nullptr) return;
  for (const SessionList::Listed& session : own.sessions->List(own.tenant)) {
    if (session.process_id == own.process_id) continue;
    AddSession(snapshot, session.process_id, session.user, rows);
    if (session.running && (own.admin || session.user == own.user)) rows->Set("state", std::string("active"));
  }
}

}  // namespace

std::span<const CatalogDefinition> ActivityCatalogs() {
  static const CatalogDefinition kAll[] = {
      {"pg_stat_activity", 0,
       "datid oid = 16384, datname name, pid int4, leader_pid int4, usesysid oid, usename name, application_name text, "
       "client_addr text, client_hostname text, client_port int4, backend_start timestamptz, xact_start timestamptz, "
       "query_start timestamptz, state_change timestamptz, wait_event_type text, wait_event text, state text, "
       "backend_xid xid, backend_xmin xid, query_id int8, query text, backend_type text = client backend",
       MakeActivity},
  };
  return kAll;
}

}  // namespace anabranch
