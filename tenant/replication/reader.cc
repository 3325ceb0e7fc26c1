#include "tenant/replication/reader.h"

#include "base/quote.h"
#include "base/status.h"
#include "fmt/format.h"
#include "storage/protection.h"
#include "tenant/catalog/limits.h"

namespace anabranch {
namespace {

absl::StatusOr<catalog::TenantRecord> LoadReader(MetaUpdate& update, const catalog::TenantRecord& standby) {
  return LoadTenant(update, TenantId(standby.reader()));
}

IncarnationId KeyspaceOf(const catalog::TenantRecord& standby) { return IncarnationId(standby.incarnation()); }

void Unpin(MetaUpdate& update, const catalog::TenantRecord& standby) {
  if (!standby.incarnation().empty()) Unprotect(update, KeyspaceOf(standby), kReaderHolder);
}

void SetStart(catalog::TenantRecord& reader, ReaderStart start) {
  const bool serves = start == ReaderStart::kServing;
  SetState(reader, serves ? DataState::kReady : DataState::kAdd);
  SetMode(reader, serves ? ServiceMode::kShared : ServiceMode::kNone);
}

}  // namespace

std::string ReaderName(std::string_view standby) { return fmt::format("{}{}", standby, kReaderSuffix); }

absl::Status CheckReaderName(Store* store, const catalog::TenantRecord& standby) {
  if (standby.reader() != 0) return absl::OkStatus();
  const std::string name = ReaderName(standby.name());
  RETURN_IF_ERROR(CheckName(name));
  ASSIGN_OR_RETURN(const std::optional<TenantId> taken, FindTenant(store, name));
  return taken ? TenantExists(name) : absl::OkStatus();
}

absl::Status AddReader(MetaUpdate& update, catalog::TenantRecord& standby, ReaderStart start) {
  if (standby.reader() != 0) {
    ASSIGN_OR_RETURN(catalog::TenantRecord reader, LoadReader(update, standby));
    SetStart(reader, start);
    PutTenant(update, reader);
    Unpin(update, standby);
    return absl::OkStatus();
  }
  catalog::TenantRecord reader;
  reader.set_name(ReaderName(standby.name()));
  RETURN_IF_ERROR(CheckName(reader.name()));
  reader.set_reads_from(standby.id());
  SetStart(reader, start);
  RETURN_IF_ERROR(AddTenant(update, &reader, TenantId(standby.id())));
  standby.set_reader(reader.id());
  PutTenant(update, standby);
  return absl::OkStatus();
}

absl::Status OpenReader(MetaUpdate& update, const catalog::TenantRecord& standby) {
  if (standby.reader() == 0) return absl::OkStatus();
  Unpin(update, standby);  // it follows, whatever it did before
  ASSIGN_OR_RETURN(catalog::TenantRecord reader, LoadReader(update, standby));
  if (StateOf(reader) != DataState::kAdd) return absl::OkStatus();
  SetStart(reader, ReaderStart::kServing);
  PutTenant(update, reader);
  return absl::OkStatus();
}

absl::Status FreezeReader(MetaUpdate& update, const catalog::TenantRecord& standby, Timestamp at) {
  if (standby.reader() == 0) return absl::OkStatus();
  RETURN_IF_ERROR(OpenReader(update, standby));
  Protect(update, KeyspaceOf(standby), kReaderHolder, at);  // R8
  return absl::OkStatus();
}

absl::StatusOr<TenantId> DropReader(MetaUpdate& update, catalog::TenantRecord& standby, const KeyspaceRef& keyspace) {
  if (standby.reader() == 0) return TenantId(0);
  ASSIGN_OR_RETURN(catalog::TenantRecord reader, LoadReader(update, standby));
  SetState(reader, DataState::kDropping);
  SetMode(reader, ServiceMode::kNone);
  update.Delete(TenantNameKey(reader.name()));
  PutTenant(update, reader);
  Unpin(update, standby);
  if (keyspace != nullptr) update.Stage(keyspace).EndFollowers();
  standby.clear_reader();
  return TenantId(reader.id());
}

absl::Status ForgetReader(MetaUpdate& update, const catalog::TenantRecord& reader) {
  ASSIGN_OR_RETURN(catalog::TenantRecord standby, LoadTenant(update, TenantId(reader.reads_from())));
  Unpin(update, standby);
  standby.clear_reader();
  PutTenant(update, standby);
  return absl::OkStatus();
}

absl::Status RefuseReader(Store* store, const catalog::TenantRecord& reader, std::string_view verb) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord standby, LoadTenant(store, TenantId(reader.reads_from())));
  return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                  fmt::format("cannot {} virtual cluster \"{}\": it only reads virtual cluster \"{}\"",
                              verb.empty() ? "change" : verb, reader.name(), standby.name()),
                  fmt::format("Say it of {} itself. A reader can be dropped, and its service started and stopped.",
                              QuotedIdentifier(standby.name())));
}

}  // namespace anabranch
