#include "sql/session/set_statement.h"

#include <algorithm>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/value/datetime.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

constexpr std::string_view kIsolation = "transaction_isolation";
constexpr std::string_view kReadOnly = "transaction_read_only";

std::string ConstantText(const pg_query::A_Const& constant) {
  switch (constant.val_case()) {
    case pg_query::A_Const::kIval:
      return std::to_string(constant.ival().ival());
    case pg_query::A_Const::kFval:
      return constant.fval().fval();
    case pg_query::A_Const::kBoolval:
      return constant.boolval().boolval() ? "on" : "off";
    default:
      return constant.sval().sval();
  }
}

// INTERVAL '...' [HOUR [TO MINUTE]] of SET TIME ZONE, as the setting takes it.
absl::StatusOr<std::string> IntervalText(const pg_query::TypeCast& cast) {
  constexpr int kHourMask = 1 << 10, kMinuteMask = 1 << 11;  // of PostgreSQL's modifiers
  const auto& modifiers = cast.type_name().typmods();
  const int fields = modifiers.empty() ? 0 : modifiers[0].a_const().ival().ival();
  std::string text = cast.arg().a_const().sval().sval();
  // A number alone counts the last field.
  if (FromText(SqlType::kInt8, text).ok())
    text += fields == kHourMask ? " hours" : (fields & kMinuteMask) != 0 ? " minutes" : "";
  ASSIGN_OR_RETURN(Interval interval, ParseInterval(text));
  if (fields == kHourMask) interval.us -= interval.us % kHourUs;
  return fmt::format("INTERVAL '{}'", ToText(interval));
}

absl::StatusOr<std::string> ListText(const google::protobuf::RepeatedPtrField<Node>& values) {
  std::string text;
  for (const Node& value : values) {
    if (!text.empty()) text += ", ";
    if (value.has_type_cast()) {
      ASSIGN_OR_RETURN(const std::string interval, IntervalText(value.type_cast()));
      text += interval;
    } else if (value.has_a_const()) {
      text += ConstantText(value.a_const());
    } else {
      return UnsupportedError("SET to anything but constants");
    }
  }
  return text;
}

absl::Status NoReadWriteOnStandby() {
  return SqlError(sqlstate::kFeatureNotSupported, "cannot set transaction read-write mode during recovery");
}

// The one-word form of a name as the grammar gives it.
bool Is(std::string_view name, std::string_view lower) {
  return name.size() == lower.size() && std::equal(name.begin(), name.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
         });
}

}  // namespace

absl::Status ApplyTransactionModes(const google::protobuf::RepeatedPtrField<Node>& modes, BlockOptions* options) {
  for (const Node& node : modes) {
    const pg_query::DefElem& mode = node.def_elem();
    if (mode.defname() == kIsolation) {
      ASSIGN_OR_RETURN(options->isolation, ParseIsolationLevel(ConstantText(mode.arg().a_const())));
    } else if (mode.defname() == kReadOnly) {
      options->read_only = mode.arg().a_const().ival().ival() != 0;
    } else if (mode.arg().a_const().ival().ival() != 0) {
      return UnsupportedError("DEFERRABLE");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckModesAllowed(const google::protobuf::RepeatedPtrField<Node>& modes, const TransactionBlock& block) {
  if (!block.on_standby()) return absl::OkStatus();
  for (const Node& node : modes) {
    const pg_query::DefElem& mode = node.def_elem();
    if (mode.defname() == kReadOnly && mode.arg().a_const().ival().ival() == 0) return NoReadWriteOnStandby();
  }
  return absl::OkStatus();
}

template <typename Change>
absl::Status SessionSettings::Apply(bool local, const Change& change) {
  saved_.reset();
  RETURN_IF_ERROR(change(current_));
  if (on_commit_ && !local) return change(*on_commit_);
  return absl::OkStatus();
}

absl::StatusOr<std::string> SessionSettings::ExecuteSet(const pg_query::VariableSetStmt& set, TransactionBlock* block,
                                                        ResultSink& sink) {
  switch (set.kind()) {
    case pg_query::VAR_SET_VALUE:
      RETURN_IF_ERROR(SetValue(set, block, sink));
      return std::string("SET");
    case pg_query::VAR_SET_DEFAULT:
    case pg_query::VAR_RESET:
      RETURN_IF_ERROR(Apply(set.is_local(), [&](Settings& settings) { return settings.Reset(set.name()); }));
      return std::string(set.kind() == pg_query::VAR_RESET ? "RESET" : "SET");
    case pg_query::VAR_RESET_ALL:
      ResetAll();
      return std::string("RESET");
    case pg_query::VAR_SET_MULTI:
      RETURN_IF_ERROR(SetTransaction(set, block, sink));
      return std::string("SET");
    default:
      return UnsupportedError("SET ... FROM CURRENT");
  }
}

absl::StatusOr<std::string> SessionSettings::SetConfig(const std::string& name, const std::optional<std::string>& value,
                                                       bool local) {
  const auto change = [&](Settings& settings) { return value ? settings.Set(name, *value) : settings.Reset(name); };
  if (!on_commit_) BeginTransaction();
  RETURN_IF_ERROR(Apply(local, change));
  return current_.Get(name);
}

void SessionSettings::ResetAll() {
  Apply(false, [](Settings& settings) {
    settings.ResetAll();
    return absl::OkStatus();
  }).IgnoreError();  // there is none
}

absl::Status SessionSettings::SetValue(const pg_query::VariableSetStmt& set, TransactionBlock* block, ResultSink& sink) {
  ASSIGN_OR_RETURN(const std::string value, ListText(set.args()));
  if (Is(set.name(), kIsolation) || Is(set.name(), kReadOnly)) {
    if (!block->explicit_block()) {
      sink.Notice(sqlstate::kNoActiveSqlTransaction, "SET TRANSACTION can only be used in transaction blocks");
      return absl::OkStatus();
    }
    BlockOptions options = block->options();
    if (Is(set.name(), kIsolation)) {
      ASSIGN_OR_RETURN(options.isolation, ParseIsolationLevel(value));
    } else {
      ASSIGN_OR_RETURN(const Datum read_only, FromText(SqlType::kBool, value));
      options.read_only = std::get<bool>(read_only);
      if (!options.read_only && block->on_standby()) return NoReadWriteOnStandby();
    }
    return block->Change(options);
  }
  if (set.is_local() && !block->explicit_block()) {
    sink.Notice(sqlstate::kNoActiveSqlTransaction, "SET LOCAL can only be used in transaction blocks");
    return current_.Get(set.name()).status();
  }
  return Apply(set.is_local(), [&](Settings& settings) { return settings.Set(set.name(), value); });
}

absl::Status SessionSettings::SetTransaction(const pg_query::VariableSetStmt& set, TransactionBlock* block,
                                             ResultSink& sink) {
  if (set.name() == "SESSION CHARACTERISTICS") {
    BlockOptions options{.isolation = current_.default_isolation(), .read_only = current_.default_read_only(), .as_of = {}};
    RETURN_IF_ERROR(ApplyTransactionModes(set.args(), &options));
    return Apply(false, [&](Settings& settings) -> absl::Status {
      RETURN_IF_ERROR(settings.Set("default_transaction_isolation", std::string(IsolationLevelName(options.isolation))));
      return settings.Set("default_transaction_read_only", options.read_only ? "on" : "off");
    });
  }
  if (set.name() != "TRANSACTION") return UnsupportedError(fmt::format("SET {}", set.name()));
  if (!block->explicit_block()) {
    sink.Notice(sqlstate::kNoActiveSqlTransaction, "SET TRANSACTION can only be used in transaction blocks");
    return absl::OkStatus();
  }
  BlockOptions options = block->options();
  RETURN_IF_ERROR(CheckModesAllowed(set.args(), *block));
  RETURN_IF_ERROR(ApplyTransactionModes(set.args(), &options));
  return block->Change(options);
}

absl::StatusOr<std::string> SessionSettings::Show(std::string_view name, const TransactionBlock& block) const {
  if (Is(name, kIsolation)) {
    return std::string(
        IsolationLevelName(block.explicit_block() ? block.options().isolation : current_.default_isolation()));
  }
  if (Is(name, kReadOnly)) {
    const bool read_only =
        block.on_standby() || (block.explicit_block() ? block.read_only() : current_.default_read_only());
    return std::string(read_only ? "on" : "off");
  }
  return current_.Get(name);
}

absl::StatusOr<std::string> SessionSettings::ColumnName(std::string_view name) const {
  if (Is(name, kIsolation)) return std::string(kIsolation);
  if (Is(name, kReadOnly)) return std::string(kReadOnly);
  return current_.CanonicalName(name);
}

void SessionSettings::BeginTransaction() {
  on_rollback_ = current_;
  on_commit_ = current_;
}

void SessionSettings::Commit() {
  if (on_commit_) current_ = *std::move(on_commit_);
  EndTransaction();
}

void SessionSettings::Rollback() {
  if (on_rollback_) current_ = *std::move(on_rollback_);
  EndTransaction();
}

void SessionSettings::EndTransaction() {
  on_commit_.reset();
  on_rollback_.reset();
  savepoints_.clear();
  saved_.reset();
}

void SessionSettings::Savepoint() {
  if (saved_ == nullptr) saved_ = std::make_shared<const Saved>(Saved{current_, on_commit_});
  savepoints_.push_back(saved_);
}

void SessionSettings::RollbackTo(size_t open) {
  savepoints_.resize(open);
  saved_ = savepoints_.back();
  current_ = saved_->current;
  on_commit_ = saved_->on_commit;
}

void SessionSettings::Release(size_t open) { savepoints_.resize(open - 1); }

std::vector<std::pair<std::string, std::string>> SessionSettings::TakeReported() {
  if (reported_of_ && reported_of_->IsUnchanged(current_)) return {};
  reported_of_ = current_;
  std::vector<std::pair<std::string, std::string>> all = current_.Reported();
  std::vector<std::pair<std::string, std::string>> changed;
  for (size_t i = 0; i < all.size(); ++i) {
    if (reported_.empty() || reported_[i] != all[i]) changed.push_back(all[i]);
  }
  reported_ = std::move(all);
  return changed;
}

}  // namespace anabranch
