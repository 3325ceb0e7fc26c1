// What the columns of a result are called.
#include "sql/query/bind.h"

#include <algorithm>
#include "base/status.h"
#include "sql/expression/aggregate.h"
#include "sql/parse/tree.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

// The last field that is selected; empty: none is.
std::string FieldName(const pg_query::A_Indirection& indirection) {
  std::string name;
  for (const Node& step : indirection.indirection()) {
    if (step.has_string()) name = StringOf(step);
  }
  return name;
}

// A name that neither a cast nor CASE around the expression replaces by its own; empty: there is none.
std::string OwnName(const Node& node) {
  switch (node.node_case()) {
    case Node::kTypeCast:
      return OwnName(node.type_cast().arg());
    case Node::kCaseExpr:
      return OwnName(node.case_expr().defresult());
    case Node::kCollateClause:
      return OwnName(node.collate_clause().arg());
    case Node::kAIndirection: {
      const std::string field = FieldName(node.a_indirection());
      return field.empty() ? OwnName(node.a_indirection().arg()) : field;
    }
    default: {
      std::string name = ResultName(node);
      return name == "?column?" ? "" : name;
    }
  }
}

}  // namespace

std::string ResultName(const Node& node) {
  switch (node.node_case()) {
    case Node::kSubLink: {
      const pg_query::SubLink& link = node.sub_link();
      if (link.sub_link_type() == pg_query::EXISTS_SUBLINK) return "exists";
      if (link.sub_link_type() == pg_query::ARRAY_SUBLINK) return "array";
      if (link.sub_link_type() != pg_query::EXPR_SUBLINK) return "?column?";
      const pg_query::SelectStmt& select = link.subselect().select_stmt();
      if (select.target_list_size() != 1) return "?column?";
      const pg_query::ResTarget& target = select.target_list(0).res_target();
      return target.name().empty() ? ResultName(target.val()) : target.name();
    }
    case Node::kAArrayExpr:
      return "array";
    case Node::kMinMaxExpr:
      return node.min_max_expr().op() == pg_query::IS_GREATEST ? "greatest" : "least";
    case Node::kAExpr:
      return node.a_expr().kind() == pg_query::AEXPR_NULLIF ? "nullif" : "?column?";
    case Node::kColumnRef:
      return StringOf(node.column_ref().fields(node.column_ref().fields_size() - 1));
    case Node::kFuncCall:
      return StringOf(node.func_call().funcname(node.func_call().funcname_size() - 1));
    case Node::kTypeCast: {
      const std::string inner = OwnName(node.type_cast().arg());
      const pg_query::TypeName& type = node.type_cast().type_name();
      return inner.empty() ? StringOf(type.names(type.names_size() - 1)) : inner;
    }
    case Node::kCoalesceExpr:
      return "coalesce";
    case Node::kCaseExpr: {
      const std::string inner = OwnName(node.case_expr().defresult());
      return inner.empty() ? "case" : inner;
    }
    case Node::kCollateClause:
      return ResultName(node.collate_clause().arg());
    case Node::kAIndirection: {
      const std::string field = FieldName(node.a_indirection());
      return field.empty() ? ResultName(node.a_indirection().arg()) : field;
    }
    case Node::kSqlvalueFunction:
      switch (node.sqlvalue_function().op()) {
        case pg_query::SVFOP_CURRENT_TIMESTAMP:
        case pg_query::SVFOP_CURRENT_TIMESTAMP_N:
          return "current_timestamp";
        case pg_query::SVFOP_CURRENT_DATE:
          return "current_date";
        case pg_query::SVFOP_LOCALTIMESTAMP:
        case pg_query::SVFOP_LOCALTIMESTAMP_N:
          return "localtimestamp";
        case pg_query::SVFOP_CURRENT_ROLE:
          return "current_role";
        case pg_query::SVFOP_SESSION_USER:
          return "session_user";
        case pg_query::SVFOP_USER:
          return "user";
        case pg_query::SVFOP_CURRENT_CATALOG:
          return "current_catalog";
        case pg_query::SVFOP_CURRENT_SCHEMA:
          return "current_schema";
        default:
          return "current_user";
      }
    default:
      return "?column?";
  }
}

}  // namespace anabranch
