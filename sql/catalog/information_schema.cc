// information_schema: the standard's views. Users see what they may use in PostgreSQL; here everyone sees everything, as in
// pg_catalog.
#include "base/quote.h"
#include "base/status.h"
#include "sql/catalog/object.h"
#include "sql/stored/privilege.h"
#include "sql/value/settings.h"

namespace anabranch {
namespace {

std::string YesOrNo(bool yes) { return yes ? "YES" : "NO"; }

// What the standard tells of a type; unset: null.
struct TypeSizes {
  std::optional<int64_t> characters = {};
  std::optional<int64_t> octets = {};
  std::optional<int64_t> numeric_precision = {};
  std::optional<int64_t> numeric_radix = {};
  std::optional<int64_t> numeric_scale = {};
  std::optional<int64_t> datetime_precision = {};
};

TypeSizes SizesOf(std::string_view type, int32_t modifier) {
  constexpr int64_t kUnboundedOctets = 1 << 30;
  constexpr int64_t kUtf8OctetsMax = 4;
  constexpr int32_t kHeader = 4;
  const bool sized = modifier != kNoTypeModifier;
  TypeSizes sizes;
  if (type == "int2" || type == "int4" || type == "int8") {
    sizes = {.numeric_precision = type == "int2" ? 16 : type == "int4" ? 32 : 64, .numeric_radix = 2, .numeric_scale = 0};
  } else if (type == "float4" || type == "float8") {
    sizes = {.numeric_precision = type == "float4" ? 24 : 53, .numeric_radix = 2};
  } else if (type == "numeric") {
    sizes.numeric_radix = 10;
    if (sized) {
      sizes.numeric_precision = (modifier - kHeader) >> 16;
      sizes.numeric_scale = (modifier - kHeader) & 0xFFFF;
    }
  } else if (type == "varchar" || type == "bpchar") {
    sizes.octets = kUnboundedOctets;
    if (sized) {
      sizes.characters = modifier - kHeader;
      sizes.octets = *sizes.characters * kUtf8OctetsMax;
    }
  } else if (type == "text") {
    sizes.octets = kUnboundedOctets;
  } else if (type == "date") {
    sizes.datetime_precision = 0;
  } else if (type == "timestamp" || type == "timestamptz" || type == "interval") {
    sizes.datetime_precision = sized ? modifier : 6;
  }
  return sizes;
}

Datum NumberOrNull(const std::optional<int64_t>& number) {
  if (!number) return Null();
  return *number;
}

void MakeTables(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    rows->Add().Set("table_schema", std::string("public")).Set("table_name", table->name);
    rows->Set("table_type", std::string("BASE TABLE")).Set("is_insertable_into", std::string("YES"));
  }
  for (const CatalogRelation& relation : CatalogRelations()) {
    rows->Add().Set("table_schema", relation.schema).Set("table_name", relation.name);
    rows->Set("table_type", std::string(relation.kind == 'v' ? "VIEW" : "BASE TABLE"));
  }
}

void AddColumn(std::string_view schema, std::string_view table, std::string_view column, int64_t position, int64_t type,
               int32_t modifier, CatalogRows* rows) {
  const TypeFacts* facts = FindTypeFacts(type);
  const TypeSizes sizes = SizesOf(facts->name, modifier);
  const bool array = facts->category == 'A';
  rows->Add()
      .Set("table_schema", std::string(schema))
      .Set("table_name", std::string(table))
      .Set("column_name", std::string(column))
      .Set("ordinal_position", position)
      .Set("data_type", array ? std::string("ARRAY") : FormatTypeOid(type, kNoTypeModifier))
      .Set("character_maximum_length", NumberOrNull(sizes.characters))
      .Set("character_octet_length", NumberOrNull(sizes.octets))
      .Set("numeric_precision", NumberOrNull(sizes.numeric_precision))
      .Set("numeric_precision_radix", NumberOrNull(sizes.numeric_radix))
      .Set("numeric_scale", NumberOrNull(sizes.numeric_scale))
      .Set("datetime_precision", NumberOrNull(sizes.datetime_precision))
      .Set("udt_name", std::string(facts->name))
      .Set("dtd_identifier", std::to_string(position));
}

void MakeColumns(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    for (const Column& column : table->columns) {
      AddColumn("public", table->name, column.name, AttributeNumber(column), TypeOid(column.type), ModifierOf(column),
                rows);
      rows->Set("is_nullable", YesOrNo(!column.not_null)).Set("is_updatable", std::string("YES"));
      if (column.identity != 0) {
        rows->Set("is_identity", std::string("YES"))
            .Set("identity_generation", std::string(column.identity == 'a' ? "ALWAYS" : "BY DEFAULT"));
      } else if (!column.default_expression.empty()) {
        rows->Set("column_default", DefaultDefinition(column, *snapshot.settings->zone()));
      }
    }
  }
  for (const CatalogRelation& relation : CatalogRelations()) {
    int64_t position = 0;
    for (const CatalogColumn& column : relation.columns) {
      AddColumn(relation.schema, relation.name, column.name, ++position, TypeOid(column.type), kNoTypeModifier, rows);
    }
  }
}

void MakeSchemata(const CatalogSnapshot&, CatalogRows* rows) {
  for (const char* name : {"crdb_internal", "information_schema", "pg_catalog", "public"})
    rows->Add().Set("schema_name", std::string(name));
}

std::string ConstraintType(char kind) { return kind == 'p' ? "PRIMARY KEY" : kind == 'u' ? "UNIQUE" : "CHECK"; }

void MakeTableConstraints(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    for (const ConstraintView& constraint : ConstraintsOf(*table)) {
      rows->Add()
          .Set("constraint_name", std::string(constraint.name))
          .Set("table_name", table->name)
          .Set("constraint_type", ConstraintType(constraint.kind));
      if (constraint.kind == 'u') rows->Set("nulls_distinct", std::string("YES"));
    }
    // A column's NOT NULL is a constraint here, with a name nobody gave it.
    for (const Column& column : table->columns) {
      if (!column.not_null) continue;
      rows->Add()
          .Set("constraint_name",
               fmt::format("{}_{}_{}_not_null", kPublicSchemaOid, TableOid(*table), AttributeNumber(column)))
          .Set("table_name", table->name)
          .Set("constraint_type", std::string("CHECK"));
    }
  }
}

void MakeCheckConstraints(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    for (const Check& check : table->checks) {
      rows->Add().Set("constraint_name", check.name).Set("check_clause", check.expression);
    }
    for (const Column& column : table->columns) {
      if (!column.not_null) continue;
      rows->Add()
          .Set("constraint_name",
               fmt::format("{}_{}_{}_not_null", kPublicSchemaOid, TableOid(*table), AttributeNumber(column)))
          .Set("check_clause", fmt::format("{} IS NOT NULL", QuotedIdentifier(column.name)));
    }
  }
}

template <typename Each>
void ForEachKeyColumn(const CatalogSnapshot& snapshot, const Each& each) {
  for (const TableRef& table : snapshot.tables) {
    for (const ConstraintView& constraint : ConstraintsOf(*table)) {
      if (!constraint.index) continue;
      int64_t position = 0;
      for (const int column : *constraint.index->columns) each(constraint, table->columns[column], ++position);
    }
  }
}

void MakeKeyColumnUsage(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  ForEachKeyColumn(snapshot, [&](const ConstraintView& constraint, const Column& column, int64_t position) {
    rows->Add()
        .Set("constraint_name", std::string(constraint.name))
        .Set("table_name", constraint.table->name)
        .Set("column_name", column.name)
        .Set("ordinal_position", position);
  });
}

void MakeConstraintColumnUsage(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  ForEachKeyColumn(snapshot, [&](const ConstraintView& constraint, const Column& column, int64_t) {
    rows->Add()
        .Set("table_name", constraint.table->name)
        .Set("column_name", column.name)
        .Set("constraint_name", std::string(constraint.name));
  });
}

void MakeSequences(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const SequenceRef& sequence : snapshot.sequences) {
    rows->Add()
        .Set("sequence_name", sequence->name)
        .Set("data_type", FormatTypeOid(TypeOid(sequence->type), kNoTypeModifier))
        .Set("numeric_precision",
             NumberOrNull(SizesOf(FindTypeFacts(TypeOid(sequence->type))->name, kNoTypeModifier).numeric_precision))
        .Set("start_value", std::to_string(sequence->start))
        .Set("minimum_value", std::to_string(sequence->min))
        .Set("maximum_value", std::to_string(sequence->max))
        .Set("increment", std::to_string(sequence->increment))
        .Set("cycle_option", YesOrNo(sequence->cycle));
  }
}

void AddPrivileges(const std::string& table, const std::string& grantor, const std::string& grantee, uint32_t privileges,
                   uint32_t grantable, CatalogRows* rows) {
  for (const PrivilegeName& known : PrivilegeNames()) {
    const auto bit = static_cast<uint32_t>(known.privilege);
    if ((privileges & bit) == 0) continue;
    rows->Add()
        .Set("grantor", grantor)
        .Set("grantee", grantee.empty() ? std::string("PUBLIC") : grantee)
        .Set("table_name", table)
        .Set("privilege_type", std::string(known.name))
        .Set("is_grantable", YesOrNo((grantable & bit) != 0))
        .Set("with_hierarchy", YesOrNo(known.privilege == Privilege::kSelect));
  }
}

void MakePrivileges(const CatalogSnapshot& snapshot, CatalogRows* rows) {
  for (const TableRef& table : snapshot.tables) {
    AddPrivileges(table->name, table->owner, table->owner, kTablePrivileges, kTablePrivileges, rows);
    for (const Grant& grant : table->grants) {
      AddPrivileges(table->name, grant.grantor, grant.grantee, grant.privileges, grant.grantable, rows);
    }
  }
}

constexpr std::string_view kPrivilegeColumns =
    "grantor sql_identifier, grantee sql_identifier, table_catalog sql_identifier = defaultdb, "
    "table_schema sql_identifier = public, table_name sql_identifier, privilege_type character_data, "
    "is_grantable yes_or_no, with_hierarchy yes_or_no";

}  // namespace

std::span<const CatalogDefinition> InformationSchema() {
  static const CatalogDefinition kAll[] = {
      {"tables", 0,
       "table_catalog sql_identifier = defaultdb, table_schema sql_identifier, table_name sql_identifier, "
       "table_type character_data, self_referencing_column_name sql_identifier, reference_generation character_data, "
       "user_defined_type_catalog sql_identifier, user_defined_type_schema sql_identifier, "
       "user_defined_type_name sql_identifier, is_insertable_into yes_or_no = NO, is_typed yes_or_no = NO, "
       "commit_action character_data",
       MakeTables},
      {"columns", 0,
       "table_catalog sql_identifier = defaultdb, table_schema sql_identifier, table_name sql_identifier, "
       "column_name sql_identifier, ordinal_position cardinal_number, column_default character_data, "
       "is_nullable yes_or_no = YES, data_type character_data, character_maximum_length cardinal_number, "
       "character_octet_length cardinal_number, numeric_precision cardinal_number, "
       "numeric_precision_radix cardinal_number, numeric_scale cardinal_number, datetime_precision cardinal_number, "
       "interval_type character_data, interval_precision cardinal_number, character_set_catalog sql_identifier, "
       "character_set_schema sql_identifier, character_set_name sql_identifier, collation_catalog sql_identifier, "
       "collation_schema sql_identifier, collation_name sql_identifier, domain_catalog sql_identifier, "
       "domain_schema sql_identifier, domain_name sql_identifier, udt_catalog sql_identifier = defaultdb, "
       "udt_schema sql_identifier = pg_catalog, udt_name sql_identifier, scope_catalog sql_identifier, "
       "scope_schema sql_identifier, scope_name sql_identifier, maximum_cardinality cardinal_number, "
       "dtd_identifier sql_identifier, is_self_referencing yes_or_no = NO, is_identity yes_or_no = NO, "
       "identity_generation character_data, identity_start character_data, identity_increment character_data, "
       "identity_maximum character_data, identity_minimum character_data, identity_cycle yes_or_no = NO, "
       "is_generated character_data = NEVER, generation_expression character_data, is_updatable yes_or_no = NO",
       MakeColumns},
      {"schemata", 0,
       "catalog_name sql_identifier = defaultdb, schema_name sql_identifier, schema_owner sql_identifier = root, "
       "default_character_set_catalog sql_identifier, default_character_set_schema sql_identifier, "
       "default_character_set_name sql_identifier, sql_path character_data",
       MakeSchemata},
      {"table_constraints", 0,
       "constraint_catalog sql_identifier = defaultdb, constraint_schema sql_identifier = public, "
       "constraint_name sql_identifier, table_catalog sql_identifier = defaultdb, table_schema sql_identifier = public, "
       "table_name sql_identifier, constraint_type character_data, is_deferrable yes_or_no = NO, "
       "initially_deferred yes_or_no = NO, enforced yes_or_no = YES, nulls_distinct yes_or_no",
       MakeTableConstraints},
      {"check_constraints", 0,
       "constraint_catalog sql_identifier = defaultdb, constraint_schema sql_identifier = public, "
       "constraint_name sql_identifier, check_clause character_data",
       MakeCheckConstraints},
      {"key_column_usage", 0,
       "constraint_catalog sql_identifier = defaultdb, constraint_schema sql_identifier = public, "
       "constraint_name sql_identifier, table_catalog sql_identifier = defaultdb, table_schema sql_identifier = public, "
       "table_name sql_identifier, column_name sql_identifier, ordinal_position cardinal_number, "
       "position_in_unique_constraint cardinal_number",
       MakeKeyColumnUsage},
      {"constraint_column_usage", 0,
       "table_catalog sql_identifier = defaultdb, table_schema sql_identifier = public, table_name sql_identifier, "
       "column_name sql_identifier, constraint_catalog sql_identifier = defaultdb, "
       "constraint_schema sql_identifier = public, constraint_name sql_identifier",
       MakeConstraintColumnUsage},
      {"sequences", 0,
       "sequence_catalog sql_identifier = defaultdb, sequence_schema sql_identifier = public, "
       "sequence_name sql_identifier, data_type character_data, numeric_precision cardinal_number, "
       "numeric_precision_radix cardinal_number = 2, numeric_scale cardinal_number = 0, start_value character_data, "
       "minimum_value character_data, maximum_value character_data, increment character_data, cycle_option yes_or_no",
       MakeSequences},
      {"views", 0,
       "table_catalog sql_identifier, table_schema sql_identifier, table_name sql_identifier, "
       "view_definition character_data, check_option character_data, is_updatable yes_or_no, "
       "is_insertable_into yes_or_no, is_trigger_updatable yes_or_no, is_trigger_deletable yes_or_no, "
       "is_trigger_insertable_into yes_or_no",
       nullptr},
      {"referential_constraints", 0,
       "constraint_catalog sql_identifier, constraint_schema sql_identifier, constraint_name sql_identifier, "
       "unique_constraint_catalog sql_identifier, unique_constraint_schema sql_identifier, "
       "unique_constraint_name sql_identifier, match_option character_data, update_rule character_data, "
       "delete_rule character_data",
       nullptr},
      {"table_privileges", 0, kPrivilegeColumns, MakePrivileges},
      {"role_table_grants", 0, kPrivilegeColumns, MakePrivileges},
  };
  return kAll;
}

}  // namespace anabranch
