#include "sql/parse/tree.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

using Names = std::set<std::string_view>;

// Every message that the binder and the planners understand, with every field of it they look at or that says nothing
// (positions, and what the parser always sets).
const std::map<std::string_view, Names>& Understood() {
  static const std::map<std::string_view, Names> kUnderstood = {
      {"SelectStmt",
       {"target_list", "from_clause", "where_clause", "group_clause", "having_clause", "values_lists", "sort_clause",
        "limit_offset", "limit_count", "limit_option", "op", "distinct_clause", "with_clause", "locking_clause", "all",
        "larg", "rarg"}},
      {"LockingClause", {"locked_rels", "strength", "wait_policy"}},
      {"JoinExpr", {"jointype", "is_natural", "larg", "rarg", "using_clause", "join_using_alias", "quals", "alias"}},
      {"RangeSubselect", {"lateral", "subquery", "alias"}},
      {"SubLink", {"sub_link_type", "testexpr", "oper_name", "subselect", "location"}},
      {"WithClause", {"ctes", "recursive", "location"}},
      {"CommonTableExpr", {"ctename", "aliascolnames", "ctematerialized", "ctequery", "location"}},
      {"CollateClause", {"arg", "collname", "location"}},
      {"InsertStmt", {"relation", "cols", "select_stmt", "override", "returning_list", "on_conflict_clause"}},
      {"OnConflictClause", {"action", "infer", "target_list", "where_clause", "location"}},
      {"InferClause", {"index_elems", "where_clause", "conname", "location"}},
      {"UpdateStmt", {"relation", "target_list", "from_clause", "where_clause", "returning_list"}},
      {"DeleteStmt", {"relation", "using_clause", "where_clause", "returning_list"}},
      {"ExplainStmt", {"query", "options"}},
      {"CreateStmt", {"relation", "table_elts", "options", "oncommit", "if_not_exists"}},
      {"DropStmt", {"objects", "remove_type", "behavior", "missing_ok"}},
      {"TruncateStmt", {"relations", "behavior", "restart_seqs"}},
      {"CreateTableAsStmt", {"query", "into", "objtype", "if_not_exists"}},
      {"IntoClause", {"rel", "col_names", "options", "on_commit", "skip_data"}},
      {"IndexStmt",
       {"idxname", "relation", "access_method", "index_params", "options", "unique", "concurrent", "if_not_exists"}},
      {"IndexElem", {"name", "expr", "ordering", "nulls_ordering"}},
      {"AlterTableStmt", {"relation", "cmds", "objtype", "missing_ok"}},
      {"AlterTableCmd", {"subtype", "name", "newowner", "def", "behavior", "missing_ok"}},
      {"RenameStmt", {"rename_type", "relation_type", "relation", "subname", "newname", "behavior", "missing_ok"}},
      {"CreateSeqStmt", {"sequence", "options", "if_not_exists"}},
      {"AlterSeqStmt", {"sequence", "options", "missing_ok"}},
      {"VacuumStmt", {"options", "rels", "is_vacuumcmd"}},
      {"VacuumRelation", {"relation", "va_cols"}},
      {"ClusterStmt", {"relation", "indexname", "params"}},
      {"ReindexStmt", {"kind", "relation", "name", "params"}},
      {"CommentStmt", {"objtype", "object", "comment"}},
      {"CheckPointStmt", {}},
      {"CreateRoleStmt", {"stmt_type", "role", "options"}},
      {"AlterRoleStmt", {"role", "options", "action"}},
      {"DropRoleStmt", {"roles", "missing_ok"}},
      {"GrantRoleStmt", {"granted_roles", "grantee_roles", "is_grant", "admin_opt", "behavior"}},
      {"GrantStmt", {"is_grant", "targtype", "objtype", "objects", "privileges", "grantees", "grant_option", "behavior"}},
      {"AccessPriv", {"priv_name", "cols"}},
      {"RoleSpec", {"roletype", "rolename", "location"}},
      {"TransactionStmt", {"kind", "options", "savepoint_name", "chain"}},
      {"VariableSetStmt", {"kind", "name", "args", "is_local"}},
      {"VariableShowStmt", {"name"}},
      {"DiscardStmt", {"target"}},
      {"ClosePortalStmt", {}},
      {"UnlistenStmt", {}},
      {"PrepareStmt", {"name", "argtypes", "query"}},
      {"ExecuteStmt", {"name", "params"}},
      {"DeallocateStmt", {"name"}},
      {"CopyStmt", {"relation", "query", "attlist", "is_from", "options"}},
      {"ColumnDef", {"colname", "type_name", "is_local", "is_not_null", "constraints", "location"}},
      {"Constraint",
       {"contype", "conname", "raw_expr", "keys", "location", "initially_valid", "options", "generated_when", "indexname",
        "skip_validation"}},
      {"RangeVar", {"catalogname", "schemaname", "relname", "inh", "relpersistence", "alias", "location"}},
      {"RangeFunction", {"lateral", "ordinality", "functions", "alias"}},
      {"Alias", {"aliasname", "colnames"}},
      {"ResTarget", {"name", "val", "location"}},
      {"ColumnRef", {"fields", "location"}},
      {"A_Expr", {"kind", "name", "lexpr", "rexpr", "location"}},
      {"BoolExpr", {"boolop", "args", "location"}},
      {"NullTest", {"arg", "nulltesttype", "location"}},
      {"BooleanTest", {"arg", "booltesttype", "location"}},
      {"FuncCall",
       {"funcname", "args", "agg_star", "agg_distinct", "agg_order", "agg_filter", "over", "funcformat", "location"}},
      {"WindowDef", {"partition_clause", "order_clause", "frame_options", "location"}},
      {"TypeCast", {"arg", "type_name", "location"}},
      {"TypeName", {"names", "typmods", "typemod", "array_bounds", "location"}},
      {"A_ArrayExpr", {"elements", "location"}},
      {"A_Indirection", {"arg", "indirection"}},
      {"A_Indices", {"is_slice", "lidx", "uidx"}},
      {"RowExpr", {"args", "row_format", "location"}},
      {"MinMaxExpr", {"op", "args", "location"}},
      {"CaseExpr", {"arg", "args", "defresult", "location"}},
      {"CaseWhen", {"expr", "result", "location"}},
      {"CoalesceExpr", {"args", "location"}},
      {"ParamRef", {"number", "location"}},
      {"SortBy", {"node", "sortby_dir", "sortby_nulls", "location"}},
      {"SQLValueFunction", {"op", "typmod", "location"}},
      {"DefElem", {"defname", "arg", "defaction", "location"}},
      {"List", {"items"}},
      {"SetToDefault", {"location"}},
      {"A_Star", {}},
      {"String", {"sval"}},
      {"Integer", {"ival"}},
      {"Float", {"fval"}},
      {"Boolean", {"boolval"}},
  };
  return kUnderstood;
}

// The same by descriptor: whether the field of that index is understood. Null: the message is not.
const std::vector<bool>* UnderstoodFields(const google::protobuf::Descriptor* message) {
  using ByMessage = std::unordered_map<const google::protobuf::Descriptor*, std::vector<bool>>;
  static const ByMessage kByMessage = [] {
    ByMessage by_message;
    const google::protobuf::FileDescriptor* file = pg_query::Node::descriptor()->file();
    for (const auto& [name, fields] : Understood()) {
      const google::protobuf::Descriptor* descriptor = file->FindMessageTypeByName(std::string(name));
      CHECK(descriptor != nullptr, "a message that PostgreSQL's parse tree does not have");
      std::vector<bool>& understood = by_message[descriptor];
      for (int i = 0; i < descriptor->field_count(); ++i)
        understood.push_back(fields.contains(descriptor->field(i)->name()));
    }
    by_message[pg_query::Node::descriptor()].assign(pg_query::Node::descriptor()->field_count(), true);
    return by_message;
  }();
  const auto found = kByMessage.find(message);
  return found == kByMessage.end() ? nullptr : &found->second;
}

// For what the field's or the message's own name would not tell.
const std::map<std::string_view, std::string_view>& FriendlyNames() {
  static const std::map<std::string_view, std::string_view> kNames = {
      {"RangeTableSample", "TABLESAMPLE"},
      {"RangeTableFunc", "XMLTABLE"},
      {"GroupingSet", "GROUPING SETS"},
      {"GroupingFunc", "GROUPING"},
      {"CurrentOfExpr", "WHERE CURRENT OF"},
      {"MultiAssignRef", "assigning several columns at once"},
      {"TableLikeClause", "LIKE in CREATE TABLE"},
      {"BitString", "a bit string"},
      {"NamedArgExpr", "a named argument"},
      {"XmlExpr", "XML"},
      {"SelectStmt.into_clause", "SELECT INTO"},
      {"SelectStmt.group_distinct", "GROUP BY DISTINCT"},
      {"UpdateStmt.from_clause", "UPDATE ... FROM"},
      {"DeleteStmt.using_clause", "DELETE ... USING"},
      {"CreateStmt.inh_relations", "INHERITS"},
      {"CreateStmt.partspec", "PARTITION BY"},
      {"CreateStmt.partbound", "PARTITION OF"},
      {"CreateStmt.tablespacename", "TABLESPACE"},
      {"CreateStmt.of_typename", "CREATE TABLE OF"},
      {"CreateStmt.access_method", "USING in CREATE TABLE"},
      {"DropStmt.concurrent", "CONCURRENTLY"},
      {"IndexStmt.where_clause", "a partial index"},
      {"IndexStmt.index_including_params", "INCLUDE"},
      {"IndexElem.opclass", "an operator class"},
      {"IndexElem.collation", "COLLATE"},
      {"CopyStmt.query", "COPY (query)"},
      {"CopyStmt.filename", "COPY with a file"},
      {"CopyStmt.is_program", "COPY with a program"},
      {"CopyStmt.where_clause", "COPY ... WHERE"},
      {"ColumnDef.coll_clause", "COLLATE"},
      {"Constraint.deferrable", "DEFERRABLE"},
      {"Constraint.initdeferred", "INITIALLY DEFERRED"},
      {"Constraint.pktable", "FOREIGN KEY"},
      {"Constraint.fk_attrs", "FOREIGN KEY"},
      {"Constraint.including", "INCLUDE"},
      {"Constraint.indexspace", "USING INDEX TABLESPACE"},
      {"RangeFunction.is_rowsfrom", "ROWS FROM"},
      {"RangeFunction.coldeflist", "a column definition list"},
      {"ResTarget.indirection", "assigning to a field or element"},
      {"FuncCall.agg_within_group", "WITHIN GROUP"},
      {"FuncCall.func_variadic", "VARIADIC"},
      {"TypeName.setof", "SETOF"},
      {"TypeName.pct_type", "%TYPE"},
      {"SortBy.use_op", "ORDER BY ... USING"},
      {"DefElem.defnamespace", "a namespace in an option"},
  };
  return kNames;
}

// "returning_list" -> "RETURNING".
std::string FieldName(const FieldDescriptor& field) {
  const std::string full = fmt::format("{}.{}", field.containing_type()->name(), field.name());
  if (const auto found = FriendlyNames().find(full); found != FriendlyNames().end()) return std::string(found->second);
  std::string name = field.name();
  for (const std::string_view suffix : {"_clause", "_list"}) {
    if (name.size() > suffix.size() && std::string_view(name).ends_with(suffix)) name.erase(name.size() - suffix.size());
  }
  for (char& c : name) c = c == '_' ? ' ' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

std::string MessageName(const Message& message) {
  const std::string& name = message.GetDescriptor()->name();
  const auto found = FriendlyNames().find(name);
  return found == FriendlyNames().end() ? name : std::string(found->second);
}

absl::Status RefuseIn(const Message& message);

absl::Status RefuseFieldsOf(const Message& message) {
  // Most of a large INSERT; there is nothing in them to refuse but a bit string.
  if (message.GetDescriptor() == pg_query::A_Const::descriptor()) {
    const bool bits = static_cast<const pg_query::A_Const&>(message).val_case() == pg_query::A_Const::kBsval;
    return bits ? UnsupportedError("a bit string") : absl::OkStatus();
  }
  const std::vector<bool>* understood = UnderstoodFields(message.GetDescriptor());
  if (understood == nullptr) return UnsupportedError(MessageName(message));
  const Reflection* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> present;
  reflection->ListFields(message, &present);
  for (const FieldDescriptor* field : present) {
    if (!(*understood)[field->index()]) return UnsupportedError(FieldName(*field));
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      RETURN_IF_ERROR(RefuseIn(reflection->GetMessage(message, field)));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      RETURN_IF_ERROR(RefuseIn(reflection->GetRepeatedMessage(message, field, i)));
    }
  }
  return absl::OkStatus();
}

absl::Status RefuseIn(const Message& message) {
  absl::Status status = RefuseFieldsOf(message);
  if (status.ok()) return status;
  const FieldDescriptor* location = message.GetDescriptor()->FindFieldByName("location");
  if (location == nullptr) return status;
  return WithLocation(std::move(status), message.GetReflection()->GetInt32(message, location));
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return upper;
}

// "create unique index i on ..." -> "CREATE INDEX".
std::string StatementName(std::string_view text) {
  static constexpr auto kObjects = std::to_array<std::string_view>(
      {"INDEX",     "TABLE",       "VIEW",         "MATERIALIZED", "SEQUENCE",  "SCHEMA",    "DATABASE",
       "FUNCTION",  "PROCEDURE",   "TRIGGER",      "TYPE",         "DOMAIN",    "ROLE",      "USER",
       "EXTENSION", "RULE",        "POLICY",       "GROUP",        "AGGREGATE", "COLLATION", "CAST",
       "SERVER",    "PUBLICATION", "SUBSCRIPTION", "OPERATOR",     "LANGUAGE",  "EVENT",     "STATISTICS",
       "FOREIGN",   "DEFAULT",     "TABLESPACE",   "TRANSACTION",  "PREPARED"});
  static constexpr auto kSkipped =
      std::to_array<std::string_view>({"OR", "REPLACE", "UNIQUE", "TEMP", "TEMPORARY", "UNLOGGED", "GLOBAL", "LOCAL"});
  std::string name;
  while (!text.empty()) {
    const size_t begin = text.find_first_not_of(" \t\r\n(");
    if (begin == std::string_view::npos) break;
    const size_t end = std::min(text.find_first_of(" \t\r\n(;", begin), text.size());
    const std::string word = Upper(text.substr(begin, end - begin));
    text.remove_prefix(end);
    if (name.empty()) {
      name = word;
    } else if (std::find(kObjects.begin(), kObjects.end(), word) != kObjects.end()) {
      name += " " + word;
    } else if (std::find(kSkipped.begin(), kSkipped.end(), word) == kSkipped.end()) {
      break;
    }
  }
  return name;
}

bool IsUnderstoodStatement(const pg_query::Node& node) {
  switch (node.node_case()) {
    case pg_query::Node::kSelectStmt:
    case pg_query::Node::kInsertStmt:
    case pg_query::Node::kUpdateStmt:
    case pg_query::Node::kDeleteStmt:
    case pg_query::Node::kCreateStmt:
    case pg_query::Node::kCreateTableAsStmt:
    case pg_query::Node::kTruncateStmt:
    case pg_query::Node::kIndexStmt:
    case pg_query::Node::kAlterTableStmt:
    case pg_query::Node::kCreateSeqStmt:
    case pg_query::Node::kAlterSeqStmt:
    case pg_query::Node::kVacuumStmt:
    case pg_query::Node::kClusterStmt:
    case pg_query::Node::kReindexStmt:
    case pg_query::Node::kCommentStmt:
    case pg_query::Node::kCheckPointStmt:
    case pg_query::Node::kPrepareStmt:
    case pg_query::Node::kExecuteStmt:
    case pg_query::Node::kDeallocateStmt:
    case pg_query::Node::kVariableSetStmt:
    case pg_query::Node::kVariableShowStmt:
    case pg_query::Node::kDiscardStmt:
    case pg_query::Node::kCopyStmt:
    case pg_query::Node::kCreateRoleStmt:
    case pg_query::Node::kAlterRoleStmt:
    case pg_query::Node::kDropRoleStmt:
    case pg_query::Node::kGrantRoleStmt:
    case pg_query::Node::kGrantStmt:
      return true;
    case pg_query::Node::kExplainStmt: {
      const pg_query::Node& query = node.explain_stmt().query();
      return query.has_select_stmt() || query.has_insert_stmt() || query.has_update_stmt() || query.has_delete_stmt();
    }
    case pg_query::Node::kDropStmt:
      return node.drop_stmt().remove_type() == pg_query::OBJECT_TABLE ||
             node.drop_stmt().remove_type() == pg_query::OBJECT_INDEX ||
             node.drop_stmt().remove_type() == pg_query::OBJECT_SEQUENCE;
    case pg_query::Node::kClosePortalStmt:
      return node.close_portal_stmt().portalname().empty();  // ALL
    case pg_query::Node::kUnlistenStmt:
      return node.unlisten_stmt().conditionname().empty();  // *
    case pg_query::Node::kRenameStmt:
      return node.rename_stmt().has_relation() && (node.rename_stmt().rename_type() == pg_query::OBJECT_TABLE ||
                                                   node.rename_stmt().rename_type() == pg_query::OBJECT_COLUMN ||
                                                   node.rename_stmt().rename_type() == pg_query::OBJECT_TABCONSTRAINT ||
                                                   node.rename_stmt().rename_type() == pg_query::OBJECT_INDEX ||
                                                   node.rename_stmt().rename_type() == pg_query::OBJECT_SEQUENCE);
    case pg_query::Node::kTransactionStmt:
      return node.transaction_stmt().kind() <= pg_query::TRANS_STMT_ROLLBACK_TO;  // two-phase commit comes after it
    default:
      return false;
  }
}

}  // namespace

absl::Status RefuseUnsupported(const pg_query::Node& statement, std::string_view text) {
  if (statement.has_alter_role_set_stmt()) return UnsupportedError("ALTER ROLE ... SET");
  if (!IsUnderstoodStatement(statement)) return UnsupportedError(StatementName(text));
  return RefuseIn(statement);
}

int LocationOf(const pg_query::Node& node) {
  using Node = pg_query::Node;
  switch (node.node_case()) {
    case Node::kColumnRef:
      return node.column_ref().location();
    case Node::kAConst:
      return node.a_const().location();
    case Node::kParamRef:
      return node.param_ref().location();
    case Node::kAExpr:
      return node.a_expr().location();
    case Node::kBoolExpr:
      return node.bool_expr().location();
    case Node::kNullTest:
      return node.null_test().location();
    case Node::kBooleanTest:
      return node.boolean_test().location();
    case Node::kFuncCall:
      return node.func_call().location();
    case Node::kTypeCast:
      return node.type_cast().location();
    case Node::kCaseExpr:
      return node.case_expr().location();
    case Node::kCoalesceExpr:
      return node.coalesce_expr().location();
    case Node::kSqlvalueFunction:
      return node.sqlvalue_function().location();
    case Node::kSubLink:
      return node.sub_link().location();
    case Node::kAArrayExpr:
      return node.a_array_expr().location();
    case Node::kMinMaxExpr:
      return node.min_max_expr().location();
    case Node::kCollateClause:
      return node.collate_clause().location();
    case Node::kRowExpr:
      return node.row_expr().location();
    case Node::kResTarget:
      return node.res_target().location();
    case Node::kRangeVar:
      return node.range_var().location();
    default:
      return -1;
  }
}

absl::StatusOr<std::string> RelationName(const pg_query::RangeVar& relation) {
  if (!relation.inh()) return UnsupportedError("ONLY");
  if (!relation.catalogname().empty()) return UnsupportedError("a cross-database reference");
  if (IsCatalogSchema(relation.schemaname())) {
    return SqlError(sqlstate::kInsufficientPrivilege,
                    fmt::format("permission denied: \"{}\" is a system catalog", relation.relname()));
  }
  if (!relation.schemaname().empty() && relation.schemaname() != "public") {
    return SqlError(sqlstate::kInvalidSchemaName, fmt::format("schema \"{}\" does not exist", relation.schemaname()));
  }
  return relation.relname();
}

bool IsCatalogSchema(std::string_view schema) {
  return schema == "pg_catalog" || schema == "information_schema" || schema == "crdb_internal";
}

namespace {

absl::StatusOr<ColumnType> ResolveNamed(const pg_query::TypeName& name) {
  const bool foreign_schema = name.names_size() > 1 && StringOf(name.names(0)) != "pg_catalog";
  std::vector<int> modifiers;
  for (const pg_query::Node& node : name.typmods()) {
    if (node.a_const().val_case() != pg_query::A_Const::kIval) {
      return SqlError(sqlstate::kInvalidParameterValue, "type modifiers must be simple constants or identifiers");
    }
    modifiers.push_back(node.a_const().ival().ival());
  }
  if (name.array_bounds_size() > 1) return UnsupportedError("an array of more than one dimension");
  return ResolveTypeName(StringOf(name.names(name.names_size() - 1)), foreign_schema, modifiers,
                         name.array_bounds_size() > 0);
}

}  // namespace

absl::StatusOr<ColumnType> ResolveType(const pg_query::TypeName& name) {
  return WithLocation(ResolveNamed(name), name.location());
}

}  // namespace anabranch
