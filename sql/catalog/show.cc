// crdb_internal.show_*: what SHOW TABLES and its kin, which are queries on them, show.
#include "base/quote.h"
#include "sql/catalog/object.h"
#include "sql/value/settings.h"

namespace anabranch {
namespace {

std::string IndexesWith(const Table& table, int position) {
  std::vector<std::string> names;
  for (const IndexView& index : IndexesOf(table)) {
    // Rows are the primary key's entries: it has every column.
    if (index.primary || std::find(index.columns->begin(), index.columns->end(), position) != index.columns->end()) {
      names.emplace_back(std::string(index.name));
    }
  }
  return ToText(ArrayValue(names));
}

void MakeTables(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    rows->Add().Set("table_name", table->name).Set("type", std::string("table")).Set("owner", table->owner);
  }
  for (const SequenceRef& sequence : snapshot.sequences) {
    rows->Add().Set("table_name", sequence->name).Set("type", std::string("sequence")).Set("owner", sequence->owner);
  }
}

void MakeColumns(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    for (size_t i = 0; i < table->columns.size(); ++i) {
      const Column& column = table->columns[i];
      rows->Add()
          .Set("table_oid", TableOid(*table))
          .Set("column_name", column.name)
          .Set("data_type", TypeTextOf(column))
          .Set("is_nullable", !column.not_null)
          .Set("indices", IndexesWith(*table, static_cast<int>(i)));
      if (!column.default_expression.empty()) rows->Set("column_default", column.default_expression);
    }
  }
}

void MakeIndexes(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    for (const IndexView& index : IndexesOf(*table)) {
      int64_t sequence = 0;
      for (const int position : *index.columns) {
        rows->Add()
            .Set("table_oid", TableOid(*table))
            .Set("table_name", table->name)
            .Set("index_name", std::string(index.name))
            .Set("non_unique", !index.unique)
            .Set("seq_in_index", ++sequence)
            .Set("column_name", table->columns[position].name)
            .Set("definition", QuotedIdentifier(table->columns[position].name));
      }
    }
  }
}

void MakeCreate(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    rows->Add()
        .Set("table_oid", TableOid(*table))
        .Set("table_name", table->name)
        .Set("create_statement", TableDefinition(*table));
  }
}

void MakeUsers(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const UserRef& user : snapshot.users) {
    std::vector<std::string_view> options;
    if (user->create_db) options.emplace_back("CREATEDB");
    if (user->create_role) options.emplace_back("CREATEROLE");
    if (!user->login) options.emplace_back("NOLOGIN");
    if (user->superuser) options.emplace_back("SUPERUSER");
    std::vector<std::string> roles;
    for (const Membership& membership : user->roles) roles.emplace_back(membership.role);
    rows->Add()
        .Set("username", user->name)
        .Set("options", fmt::format("{}", fmt::join(options, ", ")))
        .Set("member_of", ArrayValue(roles));
  }
}

void MakeDatabases(const CatalogSnapshot&, CatalogRows* rows) {
  rows->Add().Set("database_name", std::string(kDatabaseName));
}

void MakeSchemas(const CatalogSnapshot&, CatalogRows* rows) {
  for (const char* name : {"crdb_internal", "information_schema", "pg_catalog", "public"}) {
    rows->Add().Set("schema_name", std::string(name));
  }
}

}  // namespace

std::span<const CatalogDefinition> ShowCatalogs() {
  static const CatalogDefinition kAll[] = {
      {"show_tables", 0,
       "schema_name text = public, table_name text, type text, owner text, estimated_row_count int8, locality text",
       MakeTables},
      {"show_columns", 0,
       "table_oid oid, column_name text, data_type text, is_nullable bool, column_default text, "
       "generation_expression text = '', indices text, is_hidden bool = f",
       MakeColumns},
      {"show_indexes", 0,
       "table_oid oid, table_name text, index_name text, non_unique bool, seq_in_index int8, column_name text, "
       "definition text, direction text = ASC, storing bool = f, implicit bool = f, visible bool = t",
       MakeIndexes},
      {"show_create", 0, "table_oid oid, table_name text, create_statement text", MakeCreate},
      {"show_users", 0, "username text, options text, member_of text[]", MakeUsers},
      {"show_databases", 0,
       "database_name text, owner text = root, primary_region text, secondary_region text, regions text[], "
       "survival_goal text",
       MakeDatabases},
      {"show_schemas", 0, "schema_name text, owner text = root", MakeSchemas},
  };
  return kAll;
}

}  // namespace anabranch
