// nextval, currval, setval, lastval.
//
// A sequence's state lies under its id: what lies ahead of every number given out. It is written ahead of need, in a
// transaction of its own, for a block of numbers at a time; numbers of a block are given from memory. So what is given is
// never given again: not after a rollback, which does not take numbers back, not after a crash, which loses the rest of the
// block, and not on a standby that took over, for a number is only ever used by commits newer than its block's.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sql/stored/descriptor.h"
#include "sql/stored/privilege.h"

namespace anabranch {

struct SessionContext;

inline constexpr int64_t kSequenceBlockMin = 32;  // numbers per durable write, doubled while they are used up quickly
inline constexpr int64_t kSequenceBlockMax = 4096;
inline constexpr uint64_t kSequenceBusyNs = 1'000'000'000;

// What a sequence's state says: the number given last, or the one to begin with.
struct SequenceState {
  int64_t value = 0;
  bool is_called = false;
};

// The blocks of all sequences of a node. Thread-safe. Waits for another session that takes a block, and for ALTER SEQUENCE,
// are waits for locks of the caller's transaction, and end as those do (57014, 40P01, 55P03).
class SequenceBlocks {
 public:
  // Whose transaction needs a number: `transaction` runs in `context`, and a sequence that it has made or changed itself is
  // its `own`.
  struct Caller {
    Transaction* transaction = nullptr;
    const TransactionContext& context;
    bool own = false;
    std::stop_token stop = {};
  };
  // The next number. 2200H when the sequence is used up; 40001 if it is not the caller's own and was changed since.
  absl::StatusOr<int64_t> Next(const Caller& caller, const Sequence& sequence);
  // The next number given is `value`, or the one after it if it counts as given (`is_called`). 22003 out of range.
  absl::Status Set(const Caller& caller, const Sequence& sequence, int64_t value, bool is_called);
  // The number given last; nullopt: none was. `state`: what a transaction sees, for a sequence that gave none here.
  std::optional<int64_t> LastGiven(const TransactionContext& context, const Sequence& sequence, SequenceState state);

 private:
  struct Block {
    std::mutex mutex;              // guards all of it
    Epoch epoch;                   // of the service it belongs to: an older one's is void
    std::optional<int64_t> next;   // nullopt: nothing left
    int64_t left = 0;              // numbers from `next` on
    std::optional<int64_t> given;  // the last one
    int64_t size = 0;              // of the last block
    uint64_t made_ns = 0;
  };

  std::shared_ptr<Block> BlockOf(const TransactionContext& context, uint64_t id);
  static std::optional<int64_t> Take(const Caller& caller, const Sequence& sequence, Block* block);
  static absl::StatusOr<int64_t> Refill(const Caller& caller, const Sequence& sequence, Block* block);

  std::mutex mutex_;
  std::map<std::pair<std::string, uint64_t>, std::shared_ptr<Block>> blocks_;  // by incarnation and id
};

std::string SequenceStateKey(const Sequence& sequence);
// As this transaction sees it. Numbers of the block in memory count as given.
absl::StatusOr<SequenceState> ReadSequenceState(Transaction& transaction, const Sequence& sequence);

// The state of a sequence whose id is new. Not part of any transaction: until one commits the id, nobody sees it.
absl::Status InitializeSequence(const TransactionContext& context, const Sequence& sequence, SequenceState state);

// What a session remembers of sequences. Used by one thread.
class SequenceSession {
 public:
  // 42P01, 42809, 42501 and those of SequenceBlocks. What an identity column gives its rows needs no privilege.
  enum class Caller { kUser, kIdentityColumn };
  absl::StatusOr<int64_t> Next(const std::string& name, Caller caller);
  absl::StatusOr<int64_t> Current(const std::string& name);  // 55000 before the first Next
  absl::StatusOr<int64_t> Last();                            // 55000
  absl::Status Set(const std::string& name, int64_t value, bool is_called);
  void Discard();  // what Current and Last know

  // What the functions of the statement that runs now are to use.
  void BeginStatement(Transaction* transaction, const SessionContext* session, std::stop_token stop);

 private:
  struct Found {
    SequenceRef sequence;
    bool own = false;  // written by this transaction
  };
  absl::StatusOr<Found> Find(const std::string& name);
  SequenceBlocks::Caller CallerFor(const Found& found) const;
  // 42501 unless the user has one of these.
  absl::Status Check(const Sequence& sequence, std::initializer_list<Privilege> privileges) const;

  SequenceBlocks own_blocks_;  // of a session outside a server
  Transaction* transaction_ = nullptr;
  const SessionContext* session_ = nullptr;
  SequenceBlocks* blocks_ = nullptr;
  std::stop_token stop_;
  std::map<std::string, std::pair<Timestamp, SequenceRef>> known_;  // by name, with the version
  std::map<uint64_t, int64_t> current_;                             // by oid
  SequenceRef last_;                                                // the one of the last Next; null: there was none
};

}  // namespace anabranch
