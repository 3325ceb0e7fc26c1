#include "sql/stored/sequence.h"

#include <algorithm>

#include "base/coding.h"
#include "base/quote.h"
#include "base/status.h"
#include "base/stop.h"
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
absl::Status ChangeState(const TransactionContext& context, const Sequence& sequence, std::stop_token stop,
                         const Body& body) {
  const std::unique_ptr<Transaction> own = Transaction::Begin(context, IsolationLevel::kReadCommitted);
  RETURN_IF_ERROR(own->BeginStatement());
  const std::string key = SequenceStateKey(sequence);
  ASSIGN_OR_RETURN(const LockedRow locked, own->LockRow(key, std::move(stop)));
  ASSIGN_OR_RETURN(SequenceState state, DecodeState(sequence, locked.row));
  RETURN_IF_ERROR(body(own.get(), &state));
  RETURN_IF_ERROR(own->Put(key, EncodeState(state)));
  return own->Commit().status();
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

absl::Status SequenceBlocks::WaitUntilSettled(Block* block, Lock& lock, const std::stop_token& stop) {
  return block->settled.wait(lock, stop, [block] { return !block->changing; }) ? absl::OkStatus() : CheckStop(stop);
}

// REQUIRES: it is settled.
absl::Status SequenceBlocks::Change(Block* block, Lock& lock, const std::function<absl::Status()>& change) {
  block->changing = true;
  lock.unlock();
  absl::Status status = change();
  lock.lock();
  block->changing = false;
  block->settled.notify_all();
  return status;
}

absl::StatusOr<int64_t> SequenceBlocks::Next(const TransactionContext& context, const Sequence& sequence, bool own,
                                             std::stop_token stop) {
  const std::shared_ptr<Block> block = BlockOf(context, sequence.id);
  Lock lock(block->mutex);
  RETURN_IF_ERROR(WaitUntilSettled(block.get(), lock, stop));
  if (block->epoch != context.epoch) {
    block->epoch = context.epoch;
    block->left = 0;
    block->given.reset();
  }
  if (block->left == 0) RETURN_IF_ERROR(Refill(context, sequence, own, block.get(), lock, stop));
  const int64_t value = *block->next;
  block->next = --block->left == 0 ? std::nullopt : After(sequence, value);
  block->given = value;
  return value;
}

absl::Status SequenceBlocks::Refill(const TransactionContext& context, const Sequence& sequence, bool own, Block* block,
                                    Lock& lock, const std::stop_token& stop) {
  const uint64_t now = context.store->clock()->WallNs();
  const bool busy = block->size > 0 && now - block->made_ns < kSequenceBusyNs;
  block->size = busy ? std::min(block->size * 2, kSequenceBlockMax) : std::max(kSequenceBlockMin, sequence.cache);
  block->made_ns = now;
  const int64_t wanted = block->size;
  std::optional<int64_t> first;
  int64_t taken = 0;
  const auto take = [&](Transaction* transaction, SequenceState* state) -> absl::Status {
    if (!own) RETURN_IF_ERROR(CheckCurrent(sequence, transaction, stop));
    first = state->is_called ? After(sequence, state->value) : std::optional(state->value);
    if (!first) return UsedUp(sequence);
    taken = Available(sequence, *first, wanted);
    *state = {*first + (taken - 1) * sequence.increment, true};
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(Change(block, lock, [&] { return ChangeState(context, sequence, stop, take); }));
  block->next = first;  // not before they are durably taken
  block->left = taken;
  return absl::OkStatus();
}

absl::Status SequenceBlocks::Set(const TransactionContext& context, const Sequence& sequence, int64_t value, bool is_called,
                                 std::stop_token stop) {
  if (value < sequence.min || value > sequence.max) {
    return SqlError(sqlstate::kNumericValueOutOfRange,
                    fmt::format("setval: value {} is out of bounds for sequence \"{}\" ({}..{})", value, sequence.name,
                                sequence.min, sequence.max));
  }
  const std::shared_ptr<Block> block = BlockOf(context, sequence.id);
  Lock lock(block->mutex);
  RETURN_IF_ERROR(WaitUntilSettled(block.get(), lock, stop));
  block->left = 0;
  block->given.reset();
  const auto set = [&](Transaction*, SequenceState* state) {
    *state = {value, is_called};
    return absl::OkStatus();
  };
  return Change(block.get(), lock, [&] { return ChangeState(context, sequence, stop, set); });
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

absl::StatusOr<int64_t> SequenceSession::Next(const std::string& name, Caller caller) {
  if (transaction_->read_only()) {
    return SqlError(sqlstate::kReadOnlySqlTransaction, "cannot execute nextval() in a read-only transaction");
  }
  ASSIGN_OR_RETURN(const Found found, Find(UnquoteName(name)));
  if (caller == Caller::kUser) RETURN_IF_ERROR(Check(*found.sequence, {Privilege::kUsage, Privilege::kUpdate}));
  ASSIGN_OR_RETURN(const int64_t value, blocks_->Next(session_->transaction, *found.sequence, found.own, stop_));
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
  RETURN_IF_ERROR(blocks_->Set(session_->transaction, *found.sequence, value, is_called, stop_));
  if (is_called) current_[found.sequence->oid] = value;
  return absl::OkStatus();
}

}  // namespace anabranch
