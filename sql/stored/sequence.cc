#include "sql/stored/sequence.h"

#include <algorithm>

#include "base/coding.h"
#include "base/quote.h"
#include "base/status.h"
#include "sql/stored/row_codec.h"
#include "sql/stored/session_context.h"

namespace anabranch {
namespace {

constexpr size_t kKnownSequencesMax = 256;

absl::Status Corrupt(const Sequence& sequence) {
  return SqlError(sqlstate::kDataCorrupted, fmt::format("the state of sequence \"{}\" is corrupt", sequence.name));
}

absl::Status UsedUp(const Sequence& sequence) {
  const bool ascends = sequence.increment > 0;
  return SqlError(sqlstate::kSequenceGeneratorLimitExceeded,
                  fmt::format("nextval: reached {} value of sequence \"{}\" ({})", ascends ? "maximum" : "minimum",
                              sequence.name, ascends ? sequence.max : sequence.min));
}

// zigzag value | is_called
std::string EncodeState(const SequenceState& state) {
  std::string bytes;
  PutVarint(&bytes, (static_cast<uint64_t>(state.value) << 1) ^ static_cast<uint64_t>(state.value >> 63));
  bytes.push_back(state.is_called ? 1 : 0);
  return bytes;
}

absl::StatusOr<SequenceState> DecodeState(const Sequence& sequence, const std::optional<ReadVersion>& stored) {
  if (!stored) return SequenceState{sequence.start, false};
  std::string_view bytes = stored->value;
  uint64_t value = 0;
  if (!TakeVarint(&bytes, &value) || bytes.size() != 1) return Corrupt(sequence);
  return SequenceState{static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1), bytes.front() != 0};
}

// The number after `value`; nullopt: there is none.
std::optional<int64_t> After(const Sequence& sequence, int64_t value) {
  const __int128 next = static_cast<__int128>(value) + sequence.increment;
  if (next > sequence.max) return sequence.cycle ? std::optional(sequence.min) : std::nullopt;
  if (next < sequence.min) return sequence.cycle ? std::optional(sequence.max) : std::nullopt;
  return static_cast<int64_t>(next);
}

// How many numbers there are from `first` to the end, at most `wanted`.
int64_t Available(const Sequence& sequence, int64_t first, int64_t wanted) {
  const __int128 distance =
      sequence.increment > 0 ? static_cast<__int128>(sequence.max) - first : static_cast<__int128>(first) - sequence.min;
  const __int128 step = sequence.increment > 0 ? sequence.increment : -static_cast<__int128>(sequence.increment);
  return static_cast<int64_t>(std::min<__int128>(wanted, distance / step + 1));
}

// Runs `body` with the state locked and commits. The lock is held for this alone.
template <typename Body>
absl::Status ChangeState(const SequenceBlocks::Caller& caller, const Sequence& sequence, const Body& body) {
  const std::unique_ptr<Transaction> own = caller.transaction->BeginInner();
  RETURN_IF_ERROR(own->BeginStatement());
  const std::string key = SequenceStateKey(sequence);
  ASSIGN_OR_RETURN(const LockedRow locked, own->LockRow(key, caller.stop));
  ASSIGN_OR_RETURN(SequenceState state, DecodeState(sequence, locked.row));
  RETURN_IF_ERROR(body(own.get(), &state));
  RETURN_IF_ERROR(own->Put(key, EncodeState(state)));
  return own->Commit().status();
}

// Whoever changes the stored state of a sequence holds this lock from before it looks at the block until the block says the
// same. Given back with the transaction that is returned.
absl::StatusOr<std::unique_ptr<Transaction>> HoldBlock(const SequenceBlocks::Caller& caller, const Sequence& sequence) {
  std::unique_ptr<Transaction> holder = caller.transaction->BeginInner();
  RETURN_IF_ERROR(holder->Lock(SequenceStateKey(sequence) + "block", LockMode::kExclusive, caller.stop));
  return holder;
}

// ALTER SEQUENCE goes on under a new id from where it found the old one: nothing may be taken from that any more.
absl::Status CheckCurrent(const Sequence& sequence, Transaction* transaction, const std::stop_token& stop) {
  const std::string key = DescriptorKey(sequence.name);
  RETURN_IF_ERROR(transaction->Lock(key, LockMode::kShared, stop));
  RETURN_IF_ERROR(transaction->BeginStatement());
  ASSIGN_OR_RETURN(const std::optional<ReadVersion> stored, transaction->Get(key));
  if (stored) {
    ASSIGN_OR_RETURN(const SequenceRef now, DecodeSequence(sequence.name, stored->value));
    if (now->id == sequence.id) return absl::OkStatus();
  }
  return SqlError(
      sqlstate::kSerializationFailure,
      fmt::format("could not serialize access: sequence \"{}\" changed since the statement began", sequence.name));
}

}  // namespace

absl::Status InitializeSequence(const TransactionContext& context, const Sequence& sequence, SequenceState state) {
  auto writes = std::make_shared<WriteList>();
  writes->Add(SequenceStateKey(sequence), WriteKind::kPut, EncodeState(state));
  return context.store
      ->Commit({.keyspace = context.keyspace,
                .epoch = context.epoch,
                .writes = std::move(writes),
                .validate_spans = {},
                .validate_after = {}})
      .status();
}

std::string SequenceStateKey(const Sequence& sequence) { return TablePrefix(sequence.id); }

absl::StatusOr<SequenceState> ReadSequenceState(Transaction& transaction, const Sequence& sequence) {
  ASSIGN_OR_RETURN(const std::optional<ReadVersion> stored, transaction.Get(SequenceStateKey(sequence)));
  return DecodeState(sequence, stored);
}

std::shared_ptr<SequenceBlocks::Block> SequenceBlocks::BlockOf(const TransactionContext& context, uint64_t id) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Block>& block = blocks_[{context.keyspace->incarnation().value(), id}];
  if (!block) block = std::make_shared<Block>();
  return block;
}

std::optional<int64_t> SequenceBlocks::Take(const Caller& caller, const Sequence& sequence, Block* block) {
  std::lock_guard lock(block->mutex);
  if (block->epoch != caller.context.epoch) {
    block->epoch = caller.context.epoch;
    block->left = 0;
    block->given.reset();
  }
  if (block->left == 0) return std::nullopt;
  const int64_t value = *block->next;
  block->next = --block->left == 0 ? std::nullopt : After(sequence, value);
  block->given = value;
  return value;
}

absl::StatusOr<int64_t> SequenceBlocks::Next(const Caller& caller, const Sequence& sequence) {
  const std::shared_ptr<Block> block = BlockOf(caller.context, sequence.id);
  if (const std::optional<int64_t> value = Take(caller, sequence, block.get())) return *value;
  return Refill(caller, sequence, block.get());
}

absl::StatusOr<int64_t> SequenceBlocks::Refill(const Caller& caller, const Sequence& sequence, Block* block) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Transaction> holder, HoldBlock(caller, sequence));
  while (true) {
    if (const std::optional<int64_t> value = Take(caller, sequence, block)) return *value;  // of another's refill
    int64_t wanted = 0;
    {
      std::lock_guard lock(block->mutex);
      const uint64_t now = caller.context.store->clock()->WallNs();
      const bool busy = block->size > 0 && now - block->made_ns < kSequenceBusyNs;
      block->size = busy ? std::min(block->size * 2, kSequenceBlockMax) : std::max(kSequenceBlockMin, sequence.cache);
      block->made_ns = now;
      wanted = block->size;
    }
    std::optional<int64_t> first;
    int64_t taken = 0;
    const auto take = [&](Transaction* transaction, SequenceState* state) -> absl::Status {
      if (!caller.own) RETURN_IF_ERROR(CheckCurrent(sequence, transaction, caller.stop));
      first = state->is_called ? After(sequence, state->value) : std::optional(state->value);
      if (!first) return UsedUp(sequence);
      taken = Available(sequence, *first, wanted);
      *state = {*first + (taken - 1) * sequence.increment, true};
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(ChangeState(caller, sequence, take));
    std::lock_guard lock(block->mutex);
    block->next = first;  // not before they are durably taken
    block->left = taken;
  }
}

absl::Status SequenceBlocks::Set(const Caller& caller, const Sequence& sequence, int64_t value, bool is_called) {
  if (value < sequence.min || value > sequence.max) {
    return SqlError(sqlstate::kNumericValueOutOfRange,
                    fmt::format("setval: value {} is out of bounds for sequence \"{}\" ({}..{})", value, sequence.name,
                                sequence.min, sequence.max));
  }
  const std::shared_ptr<Block> block = BlockOf(caller.context, sequence.id);
  ASSIGN_OR_RETURN(const std::unique_ptr<Transaction> holder, HoldBlock(caller, sequence));
  {
    std::lock_guard lock(block->mutex);
    block->left = 0;
    block->given.reset();
  }
  return ChangeState(caller, sequence, [&](Transaction*, SequenceState* state) {
    *state = {value, is_called};
    return absl::OkStatus();
  });
}

std::optional<int64_t> SequenceBlocks::LastGiven(const TransactionContext& context, const Sequence& sequence,
                                                 SequenceState state) {
  const std::shared_ptr<Block> block = BlockOf(context, sequence.id);
  std::lock_guard lock(block->mutex);
  if (block->epoch == context.epoch && block->given) return block->given;
  return state.is_called ? std::optional(state.value) : std::nullopt;
}

void SequenceSession::BeginStatement(Transaction* transaction, const SessionContext* session, std::stop_token stop) {
  transaction_ = transaction;
  session_ = session;
  blocks_ = session->sequences == nullptr ? &own_blocks_ : session->sequences;
  stop_ = std::move(stop);
}

absl::Status SequenceSession::Check(const Sequence& sequence, std::initializer_list<Privilege> privileges) const {
  const Authorization authorization(&session_->user, transaction_, nullptr);
  absl::Status denied;
  for (const Privilege privilege : privileges) {
    denied = authorization.Check(sequence, privilege);
    if (denied.ok()) break;
  }
  return denied;
}

absl::StatusOr<SequenceSession::Found> SequenceSession::Find(const std::string& name) {
  ASSIGN_OR_RETURN(const std::optional<ReadVersion> stored, transaction_->Get(DescriptorKey(name)));
  if (!stored) return SqlError(sqlstate::kUndefinedTable, fmt::format("relation \"{}\" does not exist", name));
  const bool own = stored->timestamp.IsZero();
  const auto known = known_.find(name);
  if (known != known_.end() && !own && known->second.first == stored->timestamp) return Found{known->second.second, own};
  ASSIGN_OR_RETURN(SequenceRef sequence, DecodeSequence(name, stored->value));
  if (known_.size() >= kKnownSequencesMax) known_.clear();
  known_[name] = {stored->timestamp, sequence};
  return Found{std::move(sequence), own};
}

SequenceBlocks::Caller SequenceSession::CallerFor(const Found& found) const {
  return {.transaction = transaction_, .context = session_->transaction, .own = found.own, .stop = stop_};
}

absl::StatusOr<int64_t> SequenceSession::Next(const std::string& name, Caller caller) {
  if (transaction_->read_only()) {
    return SqlError(sqlstate::kReadOnlySqlTransaction, "cannot execute nextval() in a read-only transaction");
  }
  ASSIGN_OR_RETURN(const Found found, Find(UnquoteName(name)));
  if (caller == Caller::kUser) RETURN_IF_ERROR(Check(*found.sequence, {Privilege::kUsage, Privilege::kUpdate}));
  ASSIGN_OR_RETURN(const int64_t value, blocks_->Next(CallerFor(found), *found.sequence));
  current_[found.sequence->oid] = value;
  last_ = found.sequence;
  return value;
}

absl::StatusOr<int64_t> SequenceSession::Current(const std::string& name) {
  ASSIGN_OR_RETURN(const Found found, Find(UnquoteName(name)));
  RETURN_IF_ERROR(Check(*found.sequence, {Privilege::kUsage, Privilege::kSelect}));
  const auto value = current_.find(found.sequence->oid);
  if (value != current_.end()) return value->second;
  return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                  fmt::format("currval of sequence \"{}\" is not yet defined in this session", found.sequence->name));
}

absl::StatusOr<int64_t> SequenceSession::Last() {
  if (last_ == nullptr) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState, "lastval is not yet defined in this session");
  }
  // Its grants as they are now, unless it has another name by now.
  const absl::StatusOr<Found> found = Find(last_->name);
  const bool same = found.ok() && found->sequence->oid == last_->oid;
  RETURN_IF_ERROR(Check(same ? *found->sequence : *last_, {Privilege::kUsage, Privilege::kSelect}));
  return current_.at(last_->oid);
}

void SequenceSession::Discard() {
  current_.clear();
  last_.reset();
}

absl::Status SequenceSession::Set(const std::string& name, int64_t value, bool is_called) {
  if (transaction_->read_only()) {
    return SqlError(sqlstate::kReadOnlySqlTransaction, "cannot execute setval() in a read-only transaction");
  }
  ASSIGN_OR_RETURN(const Found found, Find(UnquoteName(name)));
  RETURN_IF_ERROR(Check(*found.sequence, {Privilege::kUpdate}));
  RETURN_IF_ERROR(blocks_->Set(CallerFor(found), *found.sequence, value, is_called));
  if (is_called) current_[found.sequence->oid] = value;
  return absl::OkStatus();
}

}  // namespace anabranch
