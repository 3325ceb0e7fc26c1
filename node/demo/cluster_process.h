// A real `anabranch start-single-node` as a child process: started, killed, frozen and stopped as an operator or a power
// cut would.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace anabranch {

// Used by one thread, except SendKill().
class ClusterProcess {
 public:
  struct Options {
    std::string program;    // path of the anabranch binary
    std::string directory;  // exists; the store becomes <directory>/<name>, the log <directory>/<name>.log
    std::string name;
    std::vector<std::string> flags;  // after the ones for store, addresses and security
    std::string certs_dir = {};      // as MakeCertificates fills it; empty: --insecure
  };
  static constexpr uint64_t kStartTimeoutMs = 30'000;
  static constexpr uint64_t kStopTimeoutMs = 30'000;

  explicit ClusterProcess(Options options);
  ~ClusterProcess();  // kills
  ClusterProcess(const ClusterProcess&) = delete;
  ClusterProcess& operator=(const ClusterProcess&) = delete;

  // Starts it and reads the addresses it prints. The first start takes a free port, later ones the same port again.
  // `failpoints` as in base/failpoint.h. The error of a process that did not come up ends with what it logged.
  absl::Status Start(const std::string& failpoints = "");
  void Kill();                 // SIGKILL; returns when it is gone
  void SendKill() const;       // SIGKILL without waiting. Thread-safe
  absl::StatusOr<int> Stop();  // SIGTERM; its exit status
  void Freeze();               // SIGSTOP
  void Thaw();                 // SIGCONT

  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  const std::string& name() const { return options_.name; }
  const std::string& address() const { return address_; }            // "127.0.0.1:40123"
  const std::string& http_address() const { return http_address_; }  // as printed
  std::string store_path() const { return options_.directory + "/" + options_.name; }
  std::string log_path() const { return store_path() + ".log"; }
  // postgresql://root@<address>?options=-ccluster%3D<virtual cluster>; without the option for "". Of a secure one with the
  // certificate of root.
  std::string Uri(const std::string& virtual_cluster) const;

  // What it logged since its last start.
  std::string Log() const;
  // True once the log since the last start has a line with `text`.
  bool WaitForLog(const std::string& text, uint64_t timeout_ms) const;
  uint64_t ResidentBytes() const;

 private:
  absl::Status ReadAddresses(int fd);
  int Reap();

  const Options options_;
  std::atomic<pid_t> pid_{-1};
  int stdout_ = -1;
  std::string address_;
  std::string http_address_;
  size_t log_start_ = 0;
};

// By the program at `program`: an authority, a certificate for nodes on this machine and one for root.
absl::Status MakeCertificates(const std::string& program, const std::string& certs_dir);

// This program's own file.
std::string OwnProgram();

// A fresh folder under ${TMPDIR:-/tmp}; removed with its contents when destroyed, unless kept.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& prefix);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  void Keep() { keep_ = true; }
  void Remove();

 private:
  std::string path_;
  bool keep_ = false;
};

}  // namespace anabranch
