#include "stream/resolve.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "base/wake_event.h"

namespace anabranch {
namespace {

std::atomic<int> lookups = 0;  // under way

absl::Status Unresolved(const std::string& host, std::string_view why) {
  return SqlError(sqlstate::kSqlclientUnableToConnect,
                  fmt::format("could not connect to the source: host name \"{}\": {}", host, why));
}

// Owned by who asked and by the thread that answers; the last one leaves it.
struct Answer {
  WakeEvent done;
  std::mutex mutex;
  absl::StatusOr<std::vector<std::string>> addresses;  // guarded by mutex until `done` is set
};

bool IsAddress(const std::string& host) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  freeaddrinfo(found);
  return true;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SystemLookup(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) return Unresolved(host, gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(address->ai_addr, address->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0)
      addresses.emplace_back(text.data());
  }
  if (addresses.empty()) return Unresolved(host, "it has no address");
  return addresses;
}

absl::StatusOr<std::vector<std::string>> Resolve(const std::string& host, uint64_t deadline_ns, const std::stop_token& stop,
                                                 Lookup lookup) {
  if (IsAddress(host)) return std::vector<std::string>{host};
  if (++lookups > kLookupsMax) {
    --lookups;
    return Unresolved(host, fmt::format("{} lookups are without an answer", kLookupsMax));
  }
  const auto answer = std::make_shared<Answer>();
  std::thread([answer, host, lookup = std::move(lookup)] {
    auto addresses = lookup(host);
    {
      std::lock_guard lock(answer->mutex);
      answer->addresses = std::move(addresses);
    }
    --lookups;
    answer->done.Signal();
  }).detach();
  WakeEvent stopped;
  const std::stop_callback on_stop(stop, [&stopped] { stopped.Signal(); });
  while (true) {
    const uint64_t now_ns = SystemClock()->MonotonicNs();
    if (now_ns >= deadline_ns) return Unresolved(host, "no answer in time");
    std::array<pollfd, 2> fds = {pollfd{answer->done.fd(), POLLIN, 0}, pollfd{stopped.fd(), POLLIN, 0}};
    poll(fds.data(), fds.size(), static_cast<int>((deadline_ns - now_ns) / 1'000'000 + 1));
    if (fds[1].revents != 0) return absl::CancelledError("stopped");
    if (fds[0].revents == 0) continue;
    std::lock_guard lock(answer->mutex);
    return std::move(answer->addresses);
  }
}

}  // namespace anabranch
