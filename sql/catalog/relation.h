// The room catalog/: pg_catalog and information_schema, and the functions that look things up in them. May use the rooms
// before it.
//
// The system catalogs: pg_catalog and information_schema as read-only relations, made when they are asked for from what the
// transaction sees. They are not stored anywhere.
//
// Each family of relations has a file of its own (class.cc, type.cc ...) with a table of them: PostgreSQL's
// columns, and the function that makes the rows. Rows are small and few: they are made whole, once per statement.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/stored/descriptor.h"
#include "sql/stored/user.h"

namespace anabranch {

struct SessionContext;
class Settings;

// Object ids that PostgreSQL gives the same things, and clients know by heart.
inline constexpr int64_t kPgCatalogOid = 11;
inline constexpr int64_t kPublicSchemaOid = 2200;
inline constexpr int64_t kInformationSchemaOid = 13207;
inline constexpr int64_t kInternalSchemaOid = 13208;  // crdb_internal
inline constexpr int64_t kDatabaseOid = 16384;
inline constexpr int64_t kDefaultTablespaceOid = 1663;
inline constexpr int64_t kHeapOid = 2;
inline constexpr int64_t kBtreeOid = 403;
inline constexpr int64_t kDefaultCollationOid = 100;

// Of what a keyspace numbers (tables, indexes, sequences, users): above all that PostgreSQL numbers itself.
inline int64_t CatalogOid(uint64_t id) { return kDatabaseOid + static_cast<int64_t>(id); }
int64_t UserOid(const User& user);

struct SchemaName {
  int64_t oid;
  std::string_view name;
};
std::span<const SchemaName> SchemaNames();

// What the relations are made of.
struct CatalogSnapshot {
  std::vector<TableRef> tables;        // by name
  std::vector<SequenceRef> sequences;  // by name
  std::vector<UserRef> users;          // by name
  const SessionContext* session = nullptr;
  const Settings* settings = nullptr;
  std::map<uint64_t, int64_t> last_values;  // of sequences that have given numbers, by oid

  const User* FindUser(std::string_view name) const;
  const User* FindUser(int64_t oid) const;
  int64_t OwnerOid(const std::string& owner) const;  // of a user that is gone: 0
};

class CatalogRows;
struct CatalogColumn {
  std::string name;
  SqlType type = SqlType::kText;
};
struct CatalogRelation {
  std::string schema;
  std::string name;
  int64_t oid = 0;
  char kind = 'r';  // 'v': a view in PostgreSQL
  std::vector<CatalogColumn> columns;
  Row constants;  // what a row has where its maker sets nothing: null, or what the column list says
  void (*make)(const CatalogSnapshot& snapshot, CatalogRows* rows) = nullptr;  // null: it is always empty
};

// How a family lists its relations: data.
struct CatalogDefinition {
  std::string_view name;
  int64_t oid;  // 0: a view
  // "name type, name type = constant, ...", types as in PostgreSQL.
  std::string_view columns;
  void (*make)(const CatalogSnapshot& snapshot, CatalogRows* rows);
};

// Takes the rows of one relation as they are made.
class CatalogRows {
 public:
  explicit CatalogRows(const CatalogRelation& relation) : relation_(relation) {}

  // Begins a row.
  CatalogRows& Add();
  // REQUIRES: the relation has this column. Fast if columns are set in their order.
  CatalogRows& Set(std::string_view column, Datum value);
  std::vector<Row> Take() { return std::move(rows_); }

 private:
  const CatalogRelation& relation_;
  std::vector<Row> rows_;
  size_t next_ = 0;  // after the column set last
};

// Null if there is none. An empty schema means pg_catalog, as nobody can put anything before it.
const CatalogRelation* FindCatalogRelation(std::string_view schema, std::string_view name);
std::span<const CatalogRelation> CatalogRelations();

// The catalogs as one statement sees them. Used by the session's thread.
class Catalog {
 public:
  Catalog(const SessionContext* session, const Settings* settings) : session_(session), settings_(settings) {}

  // A statement begins. Nothing is read before it is asked for.
  void BeginStatement(Transaction* transaction);

  absl::StatusOr<std::shared_ptr<const CatalogSnapshot>> Snapshot();
  absl::StatusOr<std::shared_ptr<const std::vector<Row>>> Rows(const CatalogRelation& relation);

 private:
  const SessionContext* const session_;
  const Settings* const settings_;
  Transaction* transaction_ = nullptr;
  std::shared_ptr<const CatalogSnapshot> snapshot_;  // null: not read yet
  std::map<const CatalogRelation*, std::shared_ptr<const std::vector<Row>>> rows_;
};

// The families.
std::span<const CatalogDefinition> ClassCatalogs();     // pg_class and what describes tables
std::span<const CatalogDefinition> TypeCatalogs();      // pg_type and what describes values
std::span<const CatalogDefinition> RoleCatalogs();      // pg_roles and what describes users
std::span<const CatalogDefinition> DatabaseCatalogs();  // pg_database, pg_namespace, pg_settings ...
std::span<const CatalogDefinition> ActivityCatalogs();  // pg_stat_activity
std::span<const CatalogDefinition> EmptyCatalogs();     // of what there is nothing here
std::span<const CatalogDefinition> InformationSchema();
std::span<const CatalogDefinition> ShowCatalogs();  // crdb_internal: what SHOW TABLES and the like show

}  // namespace anabranch
