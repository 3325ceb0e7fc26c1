#include "node/demo/cluster_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/status.h"
#include "fmt/format.h"
#include "node/demo/wait.h"

namespace anabranch {
namespace {

constexpr size_t kLogTailBytes = 2000;

// Only async-signal-safe calls: other threads may have held any lock when this process forked.
[[noreturn]] void RunChild(const char* program, char* const* arguments, char* const* environment, int stdout_fd, int log_fd,
                           pid_t parent) {
  setpgid(0, 0);  // Ctrl-C is for the parent, which decides what happens to its children
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(stdout_fd, STDOUT_FILENO);
  dup2(log_fd, STDERR_FILENO);
  const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null_fd, STDIN_FILENO);
  execve(program, arguments, environment);
  _exit(127);
}

// This process's environment with ANABRANCH_FAILPOINTS set to `failpoints`.
std::vector<std::string> ChildEnvironment(const std::string& failpoints) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "ANABRANCH_FAILPOINTS=", 21) != 0) environment.emplace_back(*entry);
  }
  if (!failpoints.empty()) environment.push_back("ANABRANCH_FAILPOINTS=" + failpoints);
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// "127.0.0.1:40123" of "sql: postgresql://root@127.0.0.1:40123/defaultdb?...".
std::string HostAndPort(const std::string& line) {
  size_t begin = line.find("://");
  begin = begin == std::string::npos ? 0 : begin + 3;
  if (const size_t at = line.find('@', begin); at != std::string::npos) begin = at + 1;
  return line.substr(begin, line.find_first_of("/? \n", begin) - begin);
}

}  // namespace

ClusterProcess::ClusterProcess(Options options) : options_(std::move(options)) {}

ClusterProcess::~ClusterProcess() { Kill(); }

absl::Status ClusterProcess::Start(const std::string& failpoints) {
  CHECK(!running(), "a cluster process is started once at a time");
  std::vector<std::string> arguments = {options_.program,
                                        "start-single-node",
                                        options_.certs_dir.empty() ? "--insecure" : "--certs-dir=" + options_.certs_dir,
                                        "--store=" + store_path(),
                                        "--listen-addr=" + (address_.empty() ? std::string("127.0.0.1:0") : address_),
                                        "--http-addr=127.0.0.1:0"};
  arguments.insert(arguments.end(), options_.flags.begin(), options_.flags.end());
  std::vector<std::string> environment = ChildEnvironment(failpoints);
  const std::vector<char*> argument_pointers = Pointers(arguments);
  const std::vector<char*> environment_pointers = Pointers(environment);

  std::error_code no_log_yet;
  const uintmax_t logged = std::filesystem::file_size(log_path(), no_log_yet);
  log_start_ = no_log_yet ? 0 : logged;
  int pipe_fds[2];
  CHECK(pipe2(pipe_fds, O_CLOEXEC) == 0, "pipe");
  const int log_fd = open(log_path().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  CHECK(log_fd >= 0, "the log file of a child process");
  const pid_t parent = getpid();
  const pid_t pid = fork();
  CHECK(pid >= 0, "fork");
  if (pid == 0) {
    RunChild(options_.program.c_str(), argument_pointers.data(), environment_pointers.data(), pipe_fds[1], log_fd, parent);
  }
  close(pipe_fds[1]);
  close(log_fd);
  pid_ = pid;
  stdout_ = pipe_fds[0];
  absl::Status up = ReadAddresses(stdout_);
  if (!up.ok()) {
    Kill();
    const std::string log = Log();
    return WithContext(std::move(up),
                       fmt::format("{}: {}", options_.name, log.substr(log.size() - std::min(log.size(), kLogTailBytes))));
  }
  return absl::OkStatus();
}

absl::Status ClusterProcess::ReadAddresses(int fd) {
  const Stopwatch watch;
  std::string text;
  while (text.find("sql: ") == std::string::npos || text.find("http: ") == std::string::npos || text.back() != '\n') {
    const double left_ms = static_cast<double>(kStartTimeoutMs) - watch.Milliseconds();
    pollfd descriptor{fd, POLLIN, 0};
    if (left_ms <= 0 || poll(&descriptor, 1, static_cast<int>(left_ms)) == 0)
      return absl::DeadlineExceededError("did not start in time");
    char buffer[1024];
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got <= 0) return absl::UnavailableError("the process ended while it started");
    text.append(buffer, got);
  }
  address_ = HostAndPort(text.substr(text.find("sql: ") + 5));
  const size_t http = text.find("http: ") + 6;
  http_address_ = HostAndPort(text.substr(http));
  return absl::OkStatus();
}

int ClusterProcess::Reap() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  close(stdout_);
  stdout_ = -1;
  return status;
}

void ClusterProcess::Kill() {
  if (!running()) return;
  kill(pid_, SIGKILL);
  Reap();
}

void ClusterProcess::SendKill() const {
  if (const pid_t pid = pid_; pid > 0) kill(pid, SIGKILL);
}

absl::StatusOr<int> ClusterProcess::Stop() {
  CHECK(running(), "only a running process is stopped");
  kill(pid_, SIGTERM);
  const bool ended = WaitUntil(kStopTimeoutMs, [this] {
    siginfo_t info{};
    return waitid(P_PID, pid_, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
  });
  if (!ended) {
    Kill();
    return absl::DeadlineExceededError("did not stop in time");
  }
  const int status = Reap();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void ClusterProcess::Freeze() { kill(pid_, SIGSTOP); }

void ClusterProcess::Thaw() { kill(pid_, SIGCONT); }

std::string ClusterProcess::Uri(const std::string& virtual_cluster) const {
  std::string uri = "postgresql://root@" + address_;
  char separator = '?';
  const auto add = [&](const std::string& parameter) { uri += std::exchange(separator, '&') + parameter; };
  if (!virtual_cluster.empty()) add("options=-ccluster%3D" + virtual_cluster);
  if (!options_.certs_dir.empty()) {
    add(fmt::format("sslmode=verify-full&sslrootcert={0}/ca.crt&sslcert={0}/client.root.crt&sslkey={0}/client.root.key",
                    options_.certs_dir));
  }
  return uri;
}

absl::Status MakeCertificates(const std::string& program, const std::string& certs_dir) {
  const std::vector<std::vector<std::string>> makings = {
      {"create-ca"}, {"create-node", "localhost", "127.0.0.1"}, {"create-client", "root"}};
  for (const std::vector<std::string>& making : makings) {
    std::vector<std::string> arguments = {program, "cert"};
    arguments.insert(arguments.end(), making.begin(), making.end());
    arguments.push_back("--certs-dir=" + certs_dir);
    pid_t pid = -1;
    int status = 0;
    if (posix_spawn(&pid, program.c_str(), nullptr, nullptr, Pointers(arguments).data(), environ) != 0 ||
        waitpid(pid, &status, 0) != pid || status != 0) {
      return absl::InternalError(fmt::format("anabranch cert {} failed", making.front()));
    }
  }
  return absl::OkStatus();
}

std::string ClusterProcess::Log() const {
  std::ifstream file(log_path());
  file.seekg(static_cast<std::streamoff>(log_start_));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool ClusterProcess::WaitForLog(const std::string& text, uint64_t timeout_ms) const {
  return WaitUntil(timeout_ms, [&] { return Log().find(text) != std::string::npos; });
}

uint64_t ClusterProcess::ResidentBytes() const {
  std::ifstream statm(fmt::format("/proc/{}/statm", pid()));
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::string OwnProgram() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

TemporaryFolder::TemporaryFolder(const std::string& prefix) {
  const char* base = std::getenv("TMPDIR");
  path_ = fmt::format("{}/{}-XXXXXX", base == nullptr || *base == '\0' ? "/tmp" : base, prefix);
  CHECK(mkdtemp(path_.data()) != nullptr, "a temporary folder");
}

TemporaryFolder::~TemporaryFolder() {
  if (!keep_) Remove();
}

void TemporaryFolder::Remove() {
  std::error_code ignored;  // what a process that was just killed left half done is nobody's any more
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace anabranch
