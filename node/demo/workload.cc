#include "node/demo/workload.h"

#include <algorithm>

#include "base/random.h"
#include "base/status.h"
#include "fmt/format.h"
#include "node/demo/wait.h"

namespace anabranch {
namespace {

constexpr int64_t kRowsPerPiece = 1000;
constexpr uint64_t kReconnectPauseMs = 20;
constexpr uint64_t kStatementTimeoutMs = 20'000;

bool IsRetryable(const absl::Status& status) {
  const std::string state = SqlStateOf(status);
  return state == sqlstate::kSerializationFailure || state == sqlstate::kDeadlockDetected;
}

}  // namespace

absl::StatusOr<uint64_t> CreateBank(SqlClient& client, int64_t accounts, const std::function<void(int64_t)>& progress) {
  RETURN_IF_ERROR(
      client.Query("CREATE TABLE accounts (id INT8 PRIMARY KEY, owner TEXT NOT NULL, balance INT8 NOT NULL)").status());
  RETURN_IF_ERROR(
      client
          .Query("CREATE TABLE transfers (id INT8 PRIMARY KEY, payer INT8 NOT NULL, payee INT8 NOT NULL, amount INT8 NOT "
                 "NULL, note TEXT)")
          .status());
  int64_t sent = 0;
  uint64_t bytes = 0;
  const auto next = [&] {
    std::string piece;
    for (const int64_t end = std::min(accounts, sent + kRowsPerPiece); sent < end; ++sent) {
      piece += fmt::format("{}\tholder of account {:012}, opened by the load of this demonstration in branch {:05}\t{}\n",
                           sent, sent, sent % 997, kOpeningBalance);
    }
    bytes += piece.size();
    if (progress) progress(sent);
    return piece;
  };
  RETURN_IF_ERROR(client.CopyIn("COPY accounts (id, owner, balance) FROM STDIN", next).status());
  return bytes;
}

void TransferLedger::Acknowledge(int64_t id) {
  std::lock_guard lock(mutex_);
  acknowledged_[id] = kTimestampZero;
}

void TransferLedger::SetCommitTime(int64_t id, Timestamp committed_at) {
  std::lock_guard lock(mutex_);
  acknowledged_[id] = committed_at;
}

std::map<int64_t, Timestamp> TransferLedger::Acknowledged() const {
  std::lock_guard lock(mutex_);
  return acknowledged_;
}

std::set<int64_t> TransferLedger::CommittedAfter(Timestamp above) const {
  std::lock_guard lock(mutex_);
  std::set<int64_t> ids;
  for (const auto& [id, committed_at] : acknowledged_) {
    if (committed_at > above) ids.insert(id);
  }
  return ids;
}

void TransferLedger::KeepUpTo(Timestamp failover_time) {
  std::lock_guard lock(mutex_);
  std::erase_if(acknowledged_, [&](const auto& entry) { return entry.second.IsZero() || entry.second > failover_time; });
}

absl::StatusOr<BankAudit> AuditBank(SqlClient& client, const TransferLedger& ledger, Timestamp upto) {
  BankAudit audit;
  // First, so that what is acknowledged while this reads is not asked for.
  const std::map<int64_t, Timestamp> acknowledged = ledger.Acknowledged();
  ASSIGN_OR_RETURN(const SqlRows totals, client.Query("SELECT count(*) AS accounts, sum(balance) AS total FROM accounts"));
  audit.accounts = std::stoll(totals.Value(0, "accounts"));
  audit.sum = std::stoll(totals.Value(0, "total"));
  ASSIGN_OR_RETURN(const SqlRows journal, client.Query("SELECT id FROM transfers"));
  for (const auto& row : journal.rows) audit.journal.insert(std::stoll(row[0].value_or("0")));
  for (const auto& [id, committed_at] : acknowledged) {
    const bool promised = upto == kTimestampMax || (!committed_at.IsZero() && committed_at <= upto);
    const bool undone = !committed_at.IsZero() && committed_at > upto;
    if (promised && !audit.journal.contains(id)) audit.missing.push_back(id);
    if (undone && audit.journal.contains(id)) audit.unexpected.push_back(id);
  }
  return audit;
}

TransferWorkload::TransferWorkload(Options options, TransferLedger* ledger)
    : options_(std::move(options)), ledger_(ledger) {
  for (int worker = 0; worker < options_.connections; ++worker) {
    workers_.emplace_back([this, worker](std::stop_token stop) { Run(worker, stop); });
  }
}

void TransferWorkload::Stop() {
  for (std::jthread& worker : workers_) worker.request_stop();
  workers_.clear();
}

std::string TransferWorkload::last_error() const {
  std::lock_guard lock(mutex_);
  return last_error_;
}

void TransferWorkload::NoteError(const absl::Status& status) {
  std::lock_guard lock(mutex_);
  last_error_ = fmt::format("{} {}", SqlStateOf(status), MessageOf(status));
}

void TransferWorkload::Run(int worker, std::stop_token stop) {
  Random random(options_.seed * 1000 + worker);
  std::unique_ptr<SqlClient> client;
  while (!stop.stop_requested()) {
    if (client == nullptr) {
      auto connected = SqlClient::Connect(options_.uri);
      if (!connected.ok()) {
        NoteError(connected.status());
        Pause(kReconnectPauseMs);
        continue;
      }
      client = *std::move(connected);
    }
    const int64_t payer = static_cast<int64_t>(random.Next() % options_.accounts);
    const int64_t payee = (payer + 1 + static_cast<int64_t>(random.Next() % (options_.accounts - 1))) % options_.accounts;
    const Stopwatch watch;
    ++in_flight_;
    const absl::Status status = Transfer(*client, payer, payee, static_cast<int64_t>(1 + random.Next() % 100));
    --in_flight_;
    const uint64_t took_ns = watch.Nanoseconds();
    uint64_t slowest = slowest_ns_;
    while (took_ns > slowest && !slowest_ns_.compare_exchange_weak(slowest, took_ns)) {
    }
    if (status.ok()) continue;
    NoteError(status);
    if (IsRetryable(status)) {
      (void)client->Query("ROLLBACK", kStatementTimeoutMs);
    } else {
      client.reset();
      Pause(kReconnectPauseMs);
    }
  }
}

absl::Status TransferWorkload::Transfer(SqlClient& client, int64_t payer, int64_t payee, int64_t amount) {
  const int64_t id = ledger_->NextId();
  // The lower account first: transfers that meet wait for each other instead of deadlocking.
  const int64_t first = std::min(payer, payee);
  const int64_t second = std::max(payer, payee);
  const std::string statements[] = {
      "BEGIN",
      fmt::format("UPDATE accounts SET balance = balance + {} WHERE id = {}", first == payer ? -amount : amount, first),
      fmt::format("UPDATE accounts SET balance = balance + {} WHERE id = {}", second == payer ? -amount : amount, second),
      fmt::format("INSERT INTO transfers (id, payer, payee, amount, note) VALUES ({}, {}, {}, {}, 'transfer number {}')",
                  id, payer, payee, amount, id),
  };
  for (const std::string& statement : statements) RETURN_IF_ERROR(client.Query(statement, kStatementTimeoutMs).status());
  ASSIGN_OR_RETURN(const SqlRows committed, client.Query("COMMIT", kStatementTimeoutMs));
  if (committed.tag != "COMMIT") return SqlError(sqlstate::kInFailedSqlTransaction, "COMMIT answered " + committed.tag);
  ledger_->Acknowledge(id);
  ++committed_;
  ASSIGN_OR_RETURN(const SqlRows shown, client.Query("SHOW COMMIT TIMESTAMP", kStatementTimeoutMs));
  if (shown.rows.empty()) return SqlError(sqlstate::kInternalError, "SHOW COMMIT TIMESTAMP gave no row");
  ASSIGN_OR_RETURN(const Timestamp committed_at, ParseHlc(shown.rows[0][0].value_or("")));
  ledger_->SetCommitTime(id, committed_at);
  return absl::OkStatus();
}

}  // namespace anabranch
