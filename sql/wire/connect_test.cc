// How a session finds its virtual cluster while statements change what there is, and how it learns that its client left.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <future>
#include <map>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "sql/session/registry.h"
#include "sql/wire/connection.h"
#include "sql/wire/session.h"

namespace anabranch {
namespace {

constexpr std::chrono::seconds kPatience{30};

// What the looks of one connect lead to: an id each, zero for a refusal. Ends with where the session is and where it was
// registered on its way.
std::string Connect(std::vector<uint64_t> looks) {
  std::string way;
  size_t look = 0;
  const auto found = FindAndRegister(
      [&]() -> absl::StatusOr<ServedVirtualCluster> {
        const uint64_t id = looks.at(look++);
        if (id == 0) return SqlError(sqlstate::kCannotConnectNow, "it is not serving");
        ServedVirtualCluster served;
        served.id = TenantId(id);
        return served;
      },
      [&](TenantId tenant) { way += fmt::format("{} ", tenant.value()); });
  return way + (found.ok() ? fmt::format("in {}", found->id.value()) : SqlStateOf(found.status()));
}

TEST(FindAndRegisterTest, TheLastLookIsAtTheOneWhereItIsRegistered) {
  EXPECT_EQ(Connect({2, 2}), "2 in 2");
  EXPECT_EQ(Connect({2, 0}), "2 57P03");
  EXPECT_EQ(Connect({0}), "57P03");
  // Renamed between the looks; then the one that the name leads to now stops serving, which ends the sessions that it knows.
  EXPECT_EQ(Connect({2, 3, 3}), "2 3 in 3");
  EXPECT_EQ(Connect({2, 3, 0}), "2 3 57P03");
  EXPECT_EQ(Connect({2, 3, 2, 2}), "2 3 2 in 2");
}

TEST(SessionRegistryTest, WhoComesToAVirtualClusterThatEndsIsEndedToo) {
  SessionRegistry registry(SystemClock());
  const auto first = registry.Add().value();
  const auto second = registry.Add().value();
  registry.SetTenant(*first, TenantId(2));
  const auto ended = std::async(std::launch::async,
                                [&] { registry.EndTenant(TenantId(2), SqlError(sqlstate::kAdminShutdown, "it stops")); });
  const auto told = [](SessionControl& control) {
    std::array<pollfd, 1> fds = {pollfd{control.end_now()->fd(), POLLIN, 0}};
    return poll(fds.data(), 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) == 1;
  };
  EXPECT_TRUE(told(*first));
  registry.SetTenant(*second, TenantId(2));
  const bool second_told = told(*second);
  EXPECT_TRUE(second_told);
  registry.Remove(*first);
  registry.Remove(*second);
  EXPECT_EQ(ended.wait_for(kPatience), std::future_status::ready);
}

TEST(HangupWatchTest, StopsOnceTheClientHasLeft) {
  std::array<int, 2> sockets{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.data()), 0);
  WakeEvent end_now;
  const PgConnection connection(ClientSocket(sockets[0], nullptr), &end_now, SystemClock());
  { const HangupWatch watch(connection, {}); }  // ends at once if nobody leaves
  std::stop_source outer;
  const HangupWatch stopped(connection, outer.get_token());
  const HangupWatch watch(connection, {});
  outer.request_stop();
  EXPECT_TRUE(stopped.token().stop_requested());
  EXPECT_FALSE(watch.token().stop_requested());
  std::promise<void> gone;
  const std::stop_callback on_stop(watch.token(), [&] { gone.set_value(); });
  close(sockets[1]);
  EXPECT_EQ(gone.get_future().wait_for(kPatience), std::future_status::ready);
}

}  // namespace
}  // namespace anabranch
