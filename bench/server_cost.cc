#include "bench/server_cost.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "base/status.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

// The process and its children.
std::vector<pid_t> Family(pid_t server) {
  std::vector<pid_t> pids = {server};
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", server), gone)) {
    std::ifstream children(task.path() / "children");
    for (pid_t child = 0; children >> child;) pids.push_back(child);
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

// utime, stime, cutime and cstime of /proc/PID/stat; zeros for a process that is gone.
std::vector<int64_t> Ticks(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::vector<int64_t> ticks(4);
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return ticks;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  for (int64_t& tick : ticks) fields >> tick;
  return ticks;
}

// The inodes of the sockets that the processes have open.
std::set<uint32_t> Sockets(const std::vector<pid_t>& pids) {
  std::set<uint32_t> inodes;
  for (const pid_t pid : pids) {
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid), gone)) {
      const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
      if (target.starts_with("socket:[")) inodes.insert(static_cast<uint32_t>(std::stoul(target.substr(8))));
    }
  }
  return inodes;
}

uint64_t BytesOf(nlmsghdr* message) {
  auto* const socket = static_cast<inet_diag_msg*>(NLMSG_DATA(message));
  auto left = static_cast<int>(message->nlmsg_len - NLMSG_LENGTH(sizeof(inet_diag_msg)));
  for (auto* attribute = reinterpret_cast<rtattr*>(socket + 1); RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != INET_DIAG_INFO) continue;
    tcp_info info{};
    std::memcpy(&info, RTA_DATA(attribute), std::min<size_t>(sizeof(info), RTA_PAYLOAD(attribute)));
    return info.tcpi_bytes_received + info.tcpi_bytes_acked;
  }
  return 0;
}

}  // namespace

double CpuSeconds(pid_t server) {
  // A child that ends in between would be counted twice or not at all: look again.
  std::vector<pid_t> family;
  int64_t ticks = 0;
  while (family != Family(server)) {
    family = Family(server);
    ticks = 0;
    for (const pid_t pid : family) {
      const std::vector<int64_t> of_process = Ticks(pid);
      ticks += of_process[0] + of_process[1];
      if (pid == server) ticks += of_process[2] + of_process[3];
    }
  }
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

absl::StatusOr<uint64_t> BytesCarried(pid_t server, uint16_t port) {
  const std::set<uint32_t> ours = Sockets(Family(server));
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } ask{};
  ask.header.nlmsg_len = sizeof(ask);
  ask.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  ask.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  ask.request.sdiag_family = AF_INET;
  ask.request.sdiag_protocol = IPPROTO_TCP;
  ask.request.idiag_ext = 1 << (INET_DIAG_INFO - 1);
  ask.request.idiag_states = 1 << 1;  // established
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  bool asked = fd >= 0 && send(fd, &ask, sizeof(ask), 0) == static_cast<ssize_t>(sizeof(ask));
  uint64_t bytes = 0;
  bool found = false;
  alignas(nlmsghdr) char buffer[1 << 16];
  for (bool more = asked; more;) {
    ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
    if (got <= 0) asked = more = false;
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); more && NLMSG_OK(message, static_cast<size_t>(got));
         message = NLMSG_NEXT(message, got)) {
      if (message->nlmsg_type == NLMSG_ERROR) asked = false;
      more = message->nlmsg_type != NLMSG_DONE && asked;
      if (!more) break;
      const auto* const socket = static_cast<inet_diag_msg*>(NLMSG_DATA(message));
      if (ntohs(socket->id.idiag_dport) != port || !ours.contains(socket->idiag_inode)) continue;
      bytes += BytesOf(message);
      found = true;
    }
  }
  if (fd >= 0) close(fd);
  if (!asked) return absl::UnavailableError("the kernel does not say what TCP connections carried (sock_diag)");
  if (!found) return absl::NotFoundError(fmt::format("process {} has no connection to port {}", server, port));
  return bytes;
}

}  // namespace anabranch
