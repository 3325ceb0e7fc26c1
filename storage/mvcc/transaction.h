// A SQL transaction on one keyspace: buffered writes over a snapshot, row locks taken at write time, one Commit. This is
// the keyspace interface that the SQL executor sees (begin, get, scan, put, commit at a timestamp); it never sees RocksDB.
//
// Isolation, as PostgreSQL documents it:
//   kReadCommitted    each statement takes a new snapshot (BeginStatement); a writer locks a row, then re-reads its newest
//                     version
//   kRepeatableRead   one snapshot for all statements; locking a row that changed after it is 40001
//   kSerializable     as kRepeatableRead, and what was read is validated at commit (R3)
//
// Used by one thread. Destroying an open transaction rolls it back.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/api/store.h"
#include "storage/mvcc/lock_table.h"
#include "storage/mvcc/reader.h"

namespace anabranch {

// Open at once in a transaction. Beyond it 54000.
inline constexpr size_t kSavepointsMax = 100'000;

enum class IsolationLevel { kReadCommitted, kRepeatableRead, kSerializable };

// What a transaction runs on. Shared by the sessions of one virtual cluster; outlives their transactions.
struct TransactionContext {
  Store* store = nullptr;
  KeyspaceRef keyspace;
  Epoch epoch;  // of the service that these sessions belong to; commits fail (57P01) once that service ended
  LockTable* locks = nullptr;
  // Set: the sessions only read, at the keyspace's frontier, which a stream moves. Its `rewinds` when they were let in: once
  // it has another number, every read is refused (57P01), for the history that they see may have been taken back. What a
  // snapshot of theirs sees is not collected for a day (storage/rocks/snapshot_pins.h); one that was is 40001.
  std::optional<uint64_t> follows = std::nullopt;
};

// Up to where the keyspace can be read in that context.
Timestamp ReadableUpto(const TransactionContext& context);

// A locked row as it stands now.
struct LockedRow {
  std::optional<ReadVersion> row;  // nullopt: absent. Own uncommitted writes count (timestamp zero).
  bool changed_since_snapshot = false;
};

class Transaction {
 public:
  static std::unique_ptr<Transaction> Begin(TransactionContext context, IsolationLevel isolation);
  // Reads as of `at`; every write is refused with 25006, as in every transaction of a context that follows. Errors as
  // MvccReader::Open.
  static absl::StatusOr<std::unique_ptr<Transaction>> BeginAsOf(TransactionContext context, Timestamp at);

  virtual ~Transaction() = default;

  // REQUIRES to be called before each statement. kReadCommitted: takes a new snapshot, at ReadableUpto.
  virtual absl::Status BeginStatement() = 0;
  virtual Timestamp snapshot() const = 0;
  virtual bool read_only() const = 0;
  virtual bool has_writes() const = 0;
  // Which system tables the statement sees: what was derived from them under some value is right under the same value, in
  // any transaction of this keyspace. nullopt: it cannot be told (the transaction changed them, they changed after its
  // snapshot) or must not be relied on (its reads are validated).
  virtual std::optional<Timestamp> system_version() const = 0;

  // Reads see the snapshot plus the transaction's own writes.
  virtual absl::StatusOr<std::optional<ReadVersion>> Get(std::string_view key) = 0;
  // Own writes made after Scan() are not seen by it (an UPDATE does not meet its own rows). Must not outlive the
  // transaction.
  virtual std::unique_ptr<MvccScan> Scan(const Span& span) = 0;

  // How long each lock is waited for; kNoLockTimeout: for ever. 55P03 after it.
  virtual void SetLockTimeout(std::chrono::milliseconds timeout) = 0;
  // A transaction of its own on the same keyspace, kReadCommitted, for what stays whatever becomes of this one (nextval). It
  // is granted what this one holds, waits as long, and its waits are those of this one (R17). REQUIRES: this one does
  // nothing before it has ended.
  virtual std::unique_ptr<Transaction> BeginInner() = 0;

  // Locks without reading: descriptors (shared by statements that use a table, exclusive for DDL).
  virtual absl::Status Lock(std::string_view key, LockMode mode, std::stop_token stop) = 0;
  // Locks the row exclusively and returns its newest committed version, or the own write. 40001 above kReadCommitted if it
  // changed since the snapshot.
  virtual absl::StatusOr<LockedRow> LockRow(std::string_view key, std::stop_token stop) = 0;
  // The same for a row that was read at the snapshot: nullopt if it is known without reading to be as it was.
  virtual absl::StatusOr<std::optional<LockedRow>> LockFoundRow(std::string_view key, std::stop_token stop) = 0;
  // LockRow without waiting: nullopt, and nothing is locked, where it would wait.
  virtual absl::StatusOr<std::optional<LockedRow>> TryLockRow(std::string_view key) = 0;

  // REQUIRES: the key is locked exclusively. 54000 beyond kKeyBytesMax, kValueBytesMax, kTransactionBytesMax; what a
  // savepoint keeps to put back counts as written.
  virtual absl::Status Put(std::string_view key, std::string value) = 0;
  virtual absl::Status Delete(std::string_view key) = 0;

  // Savepoints nest, and are told by how many are open. Each costs what is written after it, once per key, and nothing
  // else.
  virtual size_t savepoints() const = 0;
  virtual absl::Status Savepoint() = 0;  // 54000 beyond kSavepointsMax
  // As it was when `savepoints() == open`: what was buffered since is undone, locks taken or upgraded since are given back.
  // That savepoint stays, those after it go. What was read since stays with what is validated. REQUIRES: 0 < open <=
  // savepoints()
  virtual void RollbackTo(size_t open) = 0;
  // Forgets that savepoint and those after it; what was done since belongs to the one before. REQUIRES: as RollbackTo.
  virtual void Release(size_t open) = 0;

  // The commit timestamp, or the snapshot if nothing was written. Locks are released either way; the transaction is over.
  // `stop` ends what a serializable one validates by itself; once the writer thread has the commit, it takes place.
  virtual absl::StatusOr<Timestamp> Commit(std::stop_token stop = {}) = 0;
  virtual void Rollback() = 0;
};

}  // namespace anabranch
