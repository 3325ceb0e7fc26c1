#include "sql/expression/stored_expression.h"

#include <pg_query.h>

#include <map>

#include "base/quote.h"
#include "base/status.h"
#include "sql/parse/tree.h"

namespace anabranch {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::string_view kSelect = "SELECT ";

absl::Status Unreadable(std::string_view what) {
  return SqlError(sqlstate::kDataCorrupted, fmt::format("a stored expression cannot be read: {}", what));
}

// Calls `visit` with every message of a type in the message; not with those within it.
template <typename Wanted, typename Visit>
void VisitAll(Message* message, const Visit& visit) {
  if (message->GetDescriptor() == Wanted::descriptor()) {
    visit(static_cast<Wanted*>(message));
    return;
  }
  const google::protobuf::Reflection* reflection = message->GetReflection();
  std::vector<const FieldDescriptor*> present;
  reflection->ListFields(*message, &present);
  for (const FieldDescriptor* field : present) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      VisitAll<Wanted>(reflection->MutableMessage(message, field), visit);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
      VisitAll<Wanted>(reflection->MutableRepeatedMessage(message, field, i), visit);
    }
  }
}

// By location, the literals of a timestamptz or of an array of them, as UTC.
void NoteZoned(const Expression& bound, std::map<int, std::string>* literals) {
  const bool zoned = bound.type == SqlType::kTimestampTz || bound.type == SqlType::kTimestampTzArray;
  if (bound.kind == ExpressionKind::kConstant && zoned && !IsNull(bound.constant)) {
    literals->emplace(bound.location, ToText(bound.constant));
  }
  for (const ExpressionRef& argument : bound.arguments) NoteZoned(*argument, literals);
}

}  // namespace

ParsedExpression::ParsedExpression() : tree_(std::make_unique<pg_query::ParseResult>()) {}
ParsedExpression::ParsedExpression(ParsedExpression&&) noexcept = default;
ParsedExpression::~ParsedExpression() = default;

const pg_query::Node& ParsedExpression::node() const {
  return tree_->stmts(0).stmt().select_stmt().target_list(0).res_target().val();
}

absl::StatusOr<ParsedExpression> ParsedExpression::Parse(std::string_view sql) {
  ParsedExpression parsed;
  const PgQueryProtobufParseResult result = pg_query_parse_protobuf(fmt::format("{}{}", kSelect, sql).c_str());
  const bool read = result.error == nullptr &&
                    parsed.tree_->ParseFromArray(result.parse_tree.data, static_cast<int>(result.parse_tree.len));
  pg_query_free_protobuf_parse_result(result);
  if (!read || parsed.tree_->stmts_size() != 1 || parsed.tree_->stmts(0).stmt().select_stmt().target_list_size() != 1) {
    return Unreadable(sql);
  }
  return parsed;
}

pg_query::Node* ParsedExpression::mutable_node() {
  return tree_->mutable_stmts(0)
      ->mutable_stmt()
      ->mutable_select_stmt()
      ->mutable_target_list(0)
      ->mutable_res_target()
      ->mutable_val();
}

absl::StatusOr<std::string> ExpressionSql(const pg_query::Node& expression) {
  pg_query::ParseResult tree;
  pg_query::SelectStmt* select = tree.add_stmts()->mutable_stmt()->mutable_select_stmt();
  select->set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
  select->set_op(pg_query::SETOP_NONE);
  *select->add_target_list()->mutable_res_target()->mutable_val() = expression;
  std::string encoded = tree.SerializeAsString();
  PgQueryProtobuf in = {};
  in.data = encoded.data();
  in.len = static_cast<decltype(in.len)>(encoded.size());
  const PgQueryDeparseResult result = pg_query_deparse_protobuf(in);
  std::string text;
  if (result.error == nullptr) text = result.query;
  pg_query_free_deparse_result(result);
  if (!std::string_view(text).starts_with(kSelect)) return Unreadable("it has no text form");
  return text.substr(kSelect.size());
}

std::string NextvalSql(std::string_view sequence) {
  std::string quoted;
  bool plain = !sequence.empty() && !(sequence.front() >= '0' && sequence.front() <= '9');
  for (const char c : sequence) {
    plain = plain && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
    quoted += c == '"' ? "\"\"" : c == '\'' ? "''" : std::string(1, c);
  }
  return plain ? fmt::format("nextval('{}'::regclass)", sequence) : fmt::format("nextval('\"{}\"'::regclass)", quoted);
}

std::optional<std::string> SequenceOfDefault(std::string_view sql) {
  constexpr std::string_view kBegin = "nextval('", kEnd = "'::regclass)";
  if (!sql.starts_with(kBegin) || !sql.ends_with(kEnd) || sql.size() < kBegin.size() + kEnd.size()) return std::nullopt;
  return UnquoteName(sql.substr(kBegin.size(), sql.size() - kBegin.size() - kEnd.size()));
}

void StripRegclass(pg_query::Node* expression) {
  if (!expression->has_func_call()) return;
  for (pg_query::Node& argument : *expression->mutable_func_call()->mutable_args()) {
    if (!argument.has_type_cast()) continue;
    const auto& names = argument.type_cast().type_name().names();
    if (names.empty() || names[names.size() - 1].string().sval() != "regclass") continue;
    pg_query::Node inner = argument.type_cast().arg();
    argument = std::move(inner);
  }
}

void StripQualifiers(pg_query::Node* expression) {
  VisitAll<pg_query::ColumnRef>(expression, [](pg_query::ColumnRef* reference) {
    reference->mutable_fields()->DeleteSubrange(0, reference->fields_size() - 1);
  });
}

bool NamesColumn(const pg_query::Node& expression, std::string_view column) {
  pg_query::Node copy = expression;
  bool found = false;
  VisitAll<pg_query::ColumnRef>(&copy, [&](pg_query::ColumnRef* reference) {
    const pg_query::Node& last = reference->fields(reference->fields_size() - 1);
    found = found || last.string().sval() == column;
  });
  return found;
}

void RenameColumn(std::string_view from, const std::string& to, pg_query::Node* expression) {
  VisitAll<pg_query::ColumnRef>(expression, [&](pg_query::ColumnRef* reference) {
    pg_query::Node* last = reference->mutable_fields(reference->fields_size() - 1);
    if (last->string().sval() == from) last->mutable_string()->set_sval(to);
  });
}

void WriteZones(const Expression& bound, pg_query::Node* expression) {
  std::map<int, std::string> literals;
  NoteZoned(bound, &literals);
  const auto write = [](const std::string& text, Message* around) {
    VisitAll<pg_query::A_Const>(around, [&](pg_query::A_Const* constant) {
      if (constant->has_sval()) constant->mutable_sval()->set_sval(text);
    });
  };
  VisitAll<pg_query::A_Const>(expression, [&](pg_query::A_Const* constant) {
    if (const auto found = literals.find(constant->location()); found != literals.end()) write(found->second, constant);
  });
  // A literal whose type stands before it begins with that.
  VisitAll<pg_query::TypeCast>(expression, [&](pg_query::TypeCast* cast) {
    if (const auto found = literals.find(cast->location()); found != literals.end())
      write(found->second, cast->mutable_arg());
  });
}

}  // namespace anabranch
