#include "sql/query/join_node.h"

#include <map>

#include "base/status.h"
#include "sql/expression/text.h"
#include "sql/query/statement_run.h"

namespace anabranch {
namespace {

void SetNull(Slots slots, Row* row) {
  if (row->size() < static_cast<size_t>(slots.end)) row->resize(slots.end);
  for (int i = slots.begin; i < slots.end; ++i) (*row)[i] = Null{};
}

class LookupSource final : public RowSource {
 public:
  LookupSource(JoinKind kind, RowSourceRef outer, const PlanNode& inner, Slots inner_slots, const Execution& execution)
      : kind_(kind), outer_(std::move(outer)), inner_plan_(inner), inner_slots_(inner_slots), execution_(execution) {}

  absl::StatusOr<bool> Next(Row* row) override {
    while (true) {
      if (inner_) {
        ASSIGN_OR_RETURN(const bool found, inner_->Next(row));
        if (found) {
          matched_ = true;
          return true;
        }
        inner_.reset();
        if (kind_ == JoinKind::kLeft && !matched_) {
          SetNull(inner_slots_, row);
          return true;
        }
      }
      RETURN_IF_ERROR(CheckStop(execution_.stop));
      ASSIGN_OR_RETURN(const bool found, outer_->Next(row));
      if (!found) return false;
      ASSIGN_OR_RETURN(inner_, inner_plan_.Open(execution_, *row));
      matched_ = false;
    }
  }

 private:
  const JoinKind kind_;
  const RowSourceRef outer_;
  const PlanNode& inner_plan_;
  const Slots inner_slots_;
  const Execution& execution_;
  RowSourceRef inner_;
  bool matched_ = false;
};

class HashSource final : public RowSource {
 public:
  HashSource(const HashJoinNode::Spec& spec, RowSourceRef outer, RowSourceRef inner, const Execution& execution)
      : spec_(spec),
        outer_(std::move(outer)),
        inner_(std::move(inner)),
        execution_(execution),
        memory_(HeldBytes(execution)) {}

  absl::StatusOr<bool> Next(Row* row) override {
    if (inner_) RETURN_IF_ERROR(ReadInner());
    while (outer_) {
      if (candidates_ != nullptr) {
        ASSIGN_OR_RETURN(const bool found, NextMatch(row));
        if (found) return true;
        candidates_ = nullptr;
        if (spec_.kind != JoinKind::kInner && !matched_) {
          SetNull(spec_.inner_slots[0], row);
          return true;
        }
      }
      RETURN_IF_ERROR(CheckStop(execution_.stop));
      ASSIGN_OR_RETURN(const bool found, outer_->Next(row));
      if (!found) {
        outer_.reset();
        break;
      }
      RETURN_IF_ERROR(FindCandidates(*row));
    }
    return spec_.kind == JoinKind::kFull && NextUnmatched(row);
  }

 private:
  struct Held {
    Row columns;
    bool matched = false;
  };
  using Positions = std::vector<uint32_t>;

  absl::Status ReadInner() {
    Row row;
    Row key;
    while (true) {
      ASSIGN_OR_RETURN(const bool found, inner_->Next(&row));
      if (!found) break;
      ASSIGN_OR_RETURN(const bool has_key, MakeKey(spec_.inner_keys, row, &key));
      // A null is equal to nothing.
      if (!has_key && spec_.kind != JoinKind::kFull) continue;
      Held held;
      for (const Slots slots : spec_.inner_slots) {
        // Copied: a join below goes on from this row.
        held.columns.insert(held.columns.end(), row.begin() + slots.begin, row.begin() + slots.end);
      }
      RETURN_IF_ERROR(memory_.Add(sizeof(Held) + RowBytes(held.columns)));
      if (has_key) {
        const auto [entry, is_new] = by_key_.try_emplace(key);
        if (is_new) RETURN_IF_ERROR(memory_.Add(RowBytes(key)));
        entry->second.push_back(static_cast<uint32_t>(held_.size()));
      }
      held_.push_back(std::move(held));
    }
    inner_.reset();
    return absl::OkStatus();
  }

  // False: a part of the key is null.
  absl::StatusOr<bool> MakeKey(const std::vector<ExpressionRef>& expressions, const Row& row, Row* key) {
    key->clear();
    for (const ExpressionRef& expression : expressions) {
      ASSIGN_OR_RETURN(Datum value, Evaluate(*expression, row, execution_.evaluation));
      if (IsNull(value)) return false;
      key->push_back(std::move(value));
    }
    return true;
  }

  absl::Status FindCandidates(const Row& row) {
    static const Positions kNone;
    matched_ = false;
    next_ = 0;
    candidates_ = &kNone;
    ASSIGN_OR_RETURN(const bool has_key, MakeKey(spec_.outer_keys, row, &key_));
    if (!has_key) return absl::OkStatus();
    if (const auto found = by_key_.find(key_); found != by_key_.end()) candidates_ = &found->second;
    return absl::OkStatus();
  }

  absl::StatusOr<bool> NextMatch(Row* row) {
    while (next_ < candidates_->size()) {
      RETURN_IF_ERROR(CheckStop(execution_.stop));
      Held& held = held_[(*candidates_)[next_++]];
      CopyInner(held.columns, row);
      if (spec_.condition) {
        ASSIGN_OR_RETURN(const bool holds, Holds(*spec_.condition, *row, execution_.evaluation));
        if (!holds) continue;
      }
      held.matched = true;
      matched_ = true;
      return true;
    }
    return false;
  }

  // FULL: the inner rows that no outer row matched.
  bool NextUnmatched(Row* row) {
    while (next_unmatched_ < held_.size() && held_[next_unmatched_].matched) ++next_unmatched_;
    if (next_unmatched_ == held_.size()) return false;
    SetNull(spec_.outer_slots, row);
    CopyInner(held_[next_unmatched_++].columns, row);
    return true;
  }

  void CopyInner(const Row& columns, Row* row) const {
    auto from = columns.begin();
    for (const Slots slots : spec_.inner_slots) {
      if (row->size() < static_cast<size_t>(slots.end)) row->resize(slots.end);
      const auto to = from + (slots.end - slots.begin);
      std::copy(from, to, row->begin() + slots.begin);
      from = to;
    }
  }

  const HashJoinNode::Spec& spec_;
  RowSourceRef outer_;
  RowSourceRef inner_;
  const Execution& execution_;
  std::vector<Held> held_;
  std::map<Row, Positions, RowLess> by_key_;
  const Positions* candidates_ = nullptr;  // of the outer row in hand
  size_t next_ = 0;
  bool matched_ = false;
  size_t next_unmatched_ = 0;
  Row key_;
  MemoryAccount memory_;
};

std::string_view KindName(JoinKind kind) {
  return kind == JoinKind::kInner ? "" : kind == JoinKind::kLeft ? " Left Join" : " Full Join";
}

}  // namespace

NodeText LookupJoinNode::Explain() const { return {.label = fmt::format("Nested Loop{}", KindName(kind_)), .details = {}}; }

absl::StatusOr<RowSourceRef> LookupJoinNode::DoOpen(const Execution& execution, const Row& outer) const {
  ASSIGN_OR_RETURN(RowSourceRef rows, outer_->Open(execution, outer));
  return RowSourceRef(std::make_unique<LookupSource>(kind_, std::move(rows), *inner_, inner_slots_, execution));
}

NodeText HashJoinNode::Explain() const {
  NodeText text;
  if (spec_.outer_keys.empty()) {
    text.label = fmt::format("Nested Loop{}", KindName(spec_.kind));
  } else {
    text.label = spec_.kind == JoinKind::kInner ? "Hash Join" : fmt::format("Hash{}", KindName(spec_.kind));
    std::string keys;
    for (size_t i = 0; i < spec_.outer_keys.size(); ++i) {
      keys += fmt::format("{}({} = {})", i == 0 ? "" : " AND ", ExpressionText(*spec_.outer_keys[i]),
                          ExpressionText(*spec_.inner_keys[i]));
    }
    text.details.emplace_back("Hash Cond", spec_.outer_keys.size() == 1 ? keys : "(" + keys + ")");
  }
  if (spec_.condition) text.details.emplace_back("Join Filter", ExpressionText(*spec_.condition));
  return text;
}

std::vector<const Expression*> HashJoinNode::expressions() const {
  std::vector<const Expression*> all;
  for (const ExpressionRef& key : spec_.outer_keys) all.push_back(key.get());
  for (const ExpressionRef& key : spec_.inner_keys) all.push_back(key.get());
  if (spec_.condition) all.push_back(spec_.condition.get());
  return all;
}

absl::StatusOr<RowSourceRef> HashJoinNode::DoOpen(const Execution& execution, const Row& outer) const {
  ASSIGN_OR_RETURN(RowSourceRef outer_rows, spec_.outer->Open(execution, outer));
  ASSIGN_OR_RETURN(RowSourceRef inner_rows, spec_.inner->Open(execution, outer));
  return RowSourceRef(std::make_unique<HashSource>(spec_, std::move(outer_rows), std::move(inner_rows), execution));
}

}  // namespace anabranch
