// Programs of others that a benchmark runs: those that come to an end, and servers.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace anabranch {

struct ProgramResult {
  std::string output;      // stdout and stderr together
  double seconds = 0;      // from its start to its end
  double cpu_seconds = 0;  // its own and that of its children
};

// Runs it to its end. The error of an exit status other than 0 has its output.
absl::StatusOr<ProgramResult> RunProgram(const std::vector<std::string>& arguments);

// A server that is a child of this process. Used by one thread, except SendSignal().
class ServerProgram {
 public:
  ServerProgram() = default;
  ~ServerProgram();  // kills
  ServerProgram(const ServerProgram&) = delete;
  ServerProgram& operator=(const ServerProgram&) = delete;

  // What it prints is appended to the file. REQUIRES: it is not running.
  absl::Status Start(const std::vector<std::string>& arguments, const std::string& log_path);
  void SendSignal(int signal) const;  // to nobody if it is not running. Thread-safe
  // Sends the signal and waits for its end.
  void Stop(int signal);

  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }

 private:
  std::atomic<pid_t> pid_{-1};
};

}  // namespace anabranch
