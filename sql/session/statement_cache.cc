#include "sql/session/statement_cache.h"

#include <algorithm>
#include <functional>

#include "base/coding.h"
#include "base/status.h"
#include "sql/parse/parse.h"
#include "sql/parse/statement.h"
#include "sql/parse/tree.h"
#include "sql/session/bound_statement.h"
#include "sql/session/prepared_statement.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

// The constants of a statement that may as well be parameters.
class FreeConstants {
 public:
  explicit FreeConstants(const Node& tree) {
    switch (tree.node_case()) {
      case Node::kSelectStmt:
        if (tree.select_stmt().op() == pg_query::SETOP_NONE) Visit(tree.select_stmt().where_clause());
        break;
      case Node::kUpdateStmt:
        Visit(tree.update_stmt().where_clause());
        for (const Node& target : tree.update_stmt().target_list()) Visit(target.res_target().val());
        break;
      case Node::kDeleteStmt:
        Visit(tree.delete_stmt().where_clause());
        break;
      case Node::kInsertStmt:
        for (const Node& list : tree.insert_stmt().select_stmt().select_stmt().values_lists()) Visit(list);
        break;
      default:
        break;
    }
  }

  // Whether this literal, at that place of the statement's text, is one of them.
  bool Has(const Literal& literal, int location, const std::string& value) const {
    return std::any_of(constants_.begin(), constants_.end(), [&](const pg_query::A_Const* constant) {
      if (constant->location() != location) return false;
      switch (constant->val_case()) {
        case pg_query::A_Const::kIval:
          return literal.type == SqlType::kInt4 && std::to_string(constant->ival().ival()) == value;
        case pg_query::A_Const::kFval:
          return (literal.type == SqlType::kInt8 || literal.type == SqlType::kNumeric) && constant->fval().fval() == value;
        case pg_query::A_Const::kSval:
          return literal.type == SqlType::kUnknown && constant->sval().sval() == value;
        default:
          return false;
      }
    });
  }

 private:
  void Visit(const Node& node) {
    switch (node.node_case()) {
      case Node::kAConst:
        constants_.push_back(&node.a_const());
        break;
      case Node::kList:
        for (const Node& item : node.list().items()) Visit(item);
        break;
      case Node::kBoolExpr:
        for (const Node& argument : node.bool_expr().args()) Visit(argument);
        break;
      case Node::kAExpr:
        if (TakesParameters(node.a_expr().kind())) {
          Visit(node.a_expr().lexpr());
          Visit(node.a_expr().rexpr());
        }
        break;
      default:
        break;
    }
  }

  static bool TakesParameters(pg_query::A_Expr_Kind kind) {
    return kind == pg_query::AEXPR_OP || kind == pg_query::AEXPR_IN || kind == pg_query::AEXPR_BETWEEN ||
           kind == pg_query::AEXPR_NOT_BETWEEN;
  }

  std::vector<const pg_query::A_Const*> constants_;
};

bool IsCacheable(const Statement& statement) {
  if (statement.kind != Statement::Kind::kPostgres || statement.as_of || statement.bracket) return false;
  return statement.tree->has_transaction_stmt() || (IsBindable(statement) && !statement.tree->has_explain_stmt());
}

std::string PreparedKey(std::string_view text, const std::vector<SqlType>& hints) {
  std::string key;
  key.reserve((hints.size() + 1) * sizeof(uint32_t) + text.size());
  PutFixed32(&key, static_cast<uint32_t>(hints.size()));
  for (const SqlType hint : hints) PutFixed32(&key, static_cast<uint32_t>(hint));
  key.append(text);
  return key;
}

std::string_view Written(std::string_view text, const Literal& literal) {
  return text.substr(literal.begin, literal.end - literal.begin);
}

}  // namespace

void StatementCache::Use(const TimeZoneRef& zone) {
  if (zone_ && zone_->name() != zone->name()) Clear();
  zone_ = zone;
}

std::optional<Command> StatementCache::Find(std::string_view text, const TimeZoneRef& zone) {
  if (zone != zone_) Use(zone);
  shape_.pattern.clear();
  shape_.literals.clear();
  if (by_pattern_.empty() || text.size() > kCachedTextBytesMax || !FindLiterals(text, &shape_)) return std::nullopt;
  const auto found = by_pattern_.find(shape_.pattern);
  if (found == by_pattern_.end()) return std::nullopt;
  const auto fits = [&](const Variant& variant) {
    for (size_t i = 0; i < shape_.literals.size(); ++i) {
      if (variant.fixed[i] && *variant.fixed[i] != Written(text, shape_.literals[i])) return false;
    }
    return true;
  };
  const auto variant = std::find_if(found->second.begin(), found->second.end(), fits);
  if (variant == found->second.end()) return std::nullopt;
  if (!variant->prepared) return Command{variant->statement};
  if (!FromText(SqlType::kText, text).ok()) return std::nullopt;  // not well-formed UTF-8
  Command command{variant->statement, variant->prepared, {}, std::string(text)};
  const std::vector<SqlType>& types = variant->prepared->description().parameters;
  command.parameters.reserve(types.size());
  for (size_t i = 0; i < shape_.literals.size(); ++i) {
    if (variant->fixed[i]) continue;
    const SqlType type = types[command.parameters.size()];
    absl::StatusOr<Datum> value = FromText(type, LiteralValue(text, shape_.literals[i]), *zone);
    if (!value.ok()) return std::nullopt;  // parsing tells what is wrong with it
    command.parameters.push_back(*std::move(value));
  }
  return command;
}

bool StatementCache::IsNew(std::string_view key) {
  if (seen_.size() >= kRememberedMax) seen_.clear();
  return seen_.insert(std::hash<std::string_view>()(key)).second;
}

std::optional<Command> StatementCache::Add(std::string_view text, const StatementRef& statement, const TimeZoneRef& zone,
                                           const Prepare& prepare) {
  TextShape shape;
  if (!IsCacheable(*statement) || text.size() > kCachedTextBytesMax || !FindLiterals(text, &shape) ||
      shape.literals.size() > kCachedLiteralsMax || IsNew(shape.pattern)) {
    return std::nullopt;
  }
  Variant variant{statement, nullptr, {}};
  if (!statement->tree->has_transaction_stmt()) {
    const FreeConstants constants(*statement->tree);
    const size_t start = text.find(statement->text);  // behind blanks
    std::string with_parameters;
    std::vector<SqlType> types;
    size_t copied = start;
    for (const Literal& literal : shape.literals) {
      if (!constants.Has(literal, static_cast<int>(literal.begin - start), LiteralValue(text, literal))) {
        variant.fixed.emplace_back(Written(text, literal));
        continue;
      }
      types.push_back(literal.type);
      with_parameters += fmt::format("{}${}", text.substr(copied, literal.begin - copied), types.size());
      copied = literal.end;
      variant.fixed.emplace_back();
    }
    with_parameters += text.substr(copied, start + statement->text.size() - copied);
    const absl::StatusOr<std::vector<StatementRef>> parsed = ParseStatements(with_parameters);
    if (!parsed.ok() || parsed->size() != 1) return std::nullopt;
    absl::StatusOr<PreparedRef> prepared = prepare((*parsed)[0], types);
    if (!prepared.ok() || (*prepared)->description().parameters.size() != types.size()) return std::nullopt;
    variant.statement = (*parsed)[0];
    variant.prepared = *std::move(prepared);
  }
  if (by_pattern_.size() >= kCachedShapesMax) by_pattern_.clear();
  std::vector<Variant>& variants = by_pattern_[shape.pattern];
  if (variants.size() >= kCachedVariantsMax) return std::nullopt;
  variants.push_back(std::move(variant));
  return Find(text, zone);
}

PreparedRef StatementCache::FindPrepared(std::string_view text, const std::vector<SqlType>& hints,
                                         const TimeZoneRef& zone) {
  if (zone != zone_) Use(zone);
  if (by_text_.empty() || text.size() > kCachedTextBytesMax) return nullptr;
  const auto found = by_text_.find(PreparedKey(text, hints));
  return found == by_text_.end() ? nullptr : found->second;
}

void StatementCache::AddPrepared(std::string_view text, const std::vector<SqlType>& hints, const TimeZoneRef& zone,
                                 const PreparedRef& prepared) {
  if (zone != zone_) Use(zone);
  if (!IsCacheable(*prepared->statement()) || text.size() > kCachedTextBytesMax) return;
  std::string key = PreparedKey(text, hints);
  if (IsNew(key)) return;
  if (by_text_.size() >= kCachedPreparedMax) by_text_.clear();
  by_text_.insert_or_assign(std::move(key), prepared);
}

}  // namespace anabranch
