#include "bench/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/check.h"
#include "base/status.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "node/demo/wait.h"

namespace anabranch {
namespace {

double SecondsOf(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; }

// In a process group of its own, with no signal blocked: Ctrl-C is for this process, which decides what happens to its children.
absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& arguments, int output_fd) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output_fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, output_fd, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, pointers[0], &files, &attributes, pointers.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) return absl::UnavailableError(fmt::format("{}: {}", arguments[0], std::strerror(error)));
  return pid;
}

}  // namespace

absl::StatusOr<ProgramResult> RunProgram(const std::vector<std::string>& arguments) {
  int pipe_fds[2];
  CHECK(pipe2(pipe_fds, O_CLOEXEC) == 0, "pipe");
  const Stopwatch watch;
  const absl::StatusOr<pid_t> pid = Spawn(arguments, pipe_fds[1]);
  close(pipe_fds[1]);
  ProgramResult result;
  char buffer[4096];
  for (ssize_t got = 1; pid.ok() && (got = read(pipe_fds[0], buffer, sizeof(buffer))) > 0;)
    result.output.append(buffer, got);
  close(pipe_fds[0]);
  RETURN_IF_ERROR(pid.status());
  int status = 0;
  rusage usage{};
  wait4(*pid, &status, 0, &usage);
  result.seconds = watch.Seconds();
  result.cpu_seconds = SecondsOf(usage.ru_utime) + SecondsOf(usage.ru_stime);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return absl::InternalError(fmt::format("{} failed: {}", fmt::join(arguments, " "), result.output));
  return result;
}

ServerProgram::~ServerProgram() {
  if (running()) Stop(SIGKILL);
}

absl::Status ServerProgram::Start(const std::vector<std::string>& arguments, const std::string& log_path) {
  CHECK(!running(), "a server is started once at a time");
  const int log_fd = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  CHECK(log_fd >= 0, "the log file of a server");
  const absl::StatusOr<pid_t> pid = Spawn(arguments, log_fd);
  close(log_fd);
  RETURN_IF_ERROR(pid.status());
  pid_ = *pid;
  return absl::OkStatus();
}

void ServerProgram::SendSignal(int signal) const {
  if (const pid_t pid = pid_; pid > 0) kill(pid, signal);
}

void ServerProgram::Stop(int signal) {
  CHECK(running(), "only a running server is stopped");
  SendSignal(signal);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace anabranch
