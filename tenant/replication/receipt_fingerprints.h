// The fingerprints that COMPLETE REPLICATION ... WITH FINGERPRINT asked for: of the data at the target, computed in the
// background once the failover is published, and kept in its receipt. No statement waits for one.
//
// What is wanted stands in the receipt, so a restart begins again. It is given up, and stays NULL, if the history at the
// target is no longer the virtual cluster's own (undone, reset, failed back, dropped) or was collected.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "absl/status/status.h"
#include "storage/api/store.h"
#include "tenant/catalog/catalog.pb.h"

namespace anabranch {

// Thread-safe.
class ReceiptFingerprints {
 public:
  explicit ReceiptFingerprints(Store* store);  // not owned
  ~ReceiptFingerprints();                      // leaves to the next start what is not computed

  // All that are wanted.
  void Compute();

 private:
  void Run(std::stop_token stop);
  absl::Status ComputeAll(std::stop_token stop);

  Store* const store_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool wanted_ = false;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace anabranch
