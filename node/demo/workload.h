// The bank: money moves between accounts in transactions, each with a line in a journal table, so that afterwards
// everything that was promised can be checked. The sum over all accounts never changes; the ledger on the client's side
// knows every commit that a server acknowledged and its timestamp.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "base/timestamp.h"
#include "node/demo/sql_client.h"

namespace anabranch {

inline constexpr int64_t kOpeningBalance = 1000;

// Creates `accounts` and `transfers` and loads `accounts` rows by COPY; `progress` is told the rows sent so far. Returns
// the bytes of rows sent.
absl::StatusOr<uint64_t> CreateBank(SqlClient& client, int64_t accounts, const std::function<void(int64_t)>& progress = {});

// Every transfer that a server acknowledged. Thread-safe.
class TransferLedger {
 public:
  int64_t NextId() { return ++last_id_; }
  void StartAbove(int64_t id) { last_id_ = id; }
  // The server said COMMIT. Its timestamp follows in another answer, which a crash may swallow.
  void Acknowledge(int64_t id);
  void SetCommitTime(int64_t id, Timestamp committed_at);

  // By id; Timestamp zero where it was never learned.
  std::map<int64_t, Timestamp> Acknowledged() const;
  // Acknowledged, with a commit time above `above`.
  std::set<int64_t> CommittedAfter(Timestamp above) const;
  // After a failover at `failover_time`: later transfers, and those whose time is unknown, are no promise any more.
  void KeepUpTo(Timestamp failover_time);

 private:
  std::atomic<int64_t> last_id_{0};
  mutable std::mutex mutex_;
  std::map<int64_t, Timestamp> acknowledged_;  // guarded by mutex_
};

// What a virtual cluster that serves holds of the bank, against the ledger.
struct BankAudit {
  int64_t accounts = 0;
  int64_t sum = 0;
  std::set<int64_t> journal;        // the ids in `transfers`
  std::vector<int64_t> missing;     // acknowledged at or below `upto`, and not there
  std::vector<int64_t> unexpected;  // committed above `upto`, and there
  bool SumHeld() const { return sum == accounts * kOpeningBalance; }
};
// kTimestampMax as `upto` asks for everything acknowledged, whether or not its time is known.
absl::StatusOr<BankAudit> AuditBank(SqlClient& client, const TransferLedger& ledger, Timestamp upto);

// Connections that move money without pause. They reconnect when they lose the server.
class TransferWorkload {
 public:
  struct Options {
    std::string uri;
    int connections = 8;
    int64_t accounts = 0;
    uint64_t seed = 1;
  };
  // `ledger` is not owned and outlives the workload.
  TransferWorkload(Options options, TransferLedger* ledger);
  ~TransferWorkload() { Stop(); }
  // Ends after the running transactions and joins. Idempotent.
  void Stop();

  uint64_t committed() const { return committed_; }
  // Transactions between the sending of BEGIN and the answer to COMMIT.
  int in_flight() const { return in_flight_; }
  uint64_t slowest_commit_ns() const { return slowest_ns_; }
  void ForgetSlowest() { slowest_ns_ = 0; }
  std::string last_error() const;

 private:
  void Run(int worker, std::stop_token stop);
  absl::Status Transfer(SqlClient& client, int64_t payer, int64_t payee, int64_t amount);
  void NoteError(const absl::Status& status);

  const Options options_;
  TransferLedger* const ledger_;
  std::atomic<uint64_t> committed_{0};
  std::atomic<int> in_flight_{0};
  std::atomic<uint64_t> slowest_ns_{0};
  mutable std::mutex mutex_;
  std::string last_error_;  // guarded by mutex_
  std::vector<std::jthread> workers_;
};

}  // namespace anabranch
