#include "bench/lag_probe.h"

#include <algorithm>

#include "base/status.h"
#include "fmt/format.h"

namespace anabranch {

absl::StatusOr<std::unique_ptr<LagProbe>> LagProbe::Start(const ReplicatedPair& pair) {
  ASSIGN_OR_RETURN(auto primary, SqlClient::Connect(pair.primary().data_uri));
  ASSIGN_OR_RETURN(auto standby, SqlClient::Connect(pair.standby().status_uri));
  return std::unique_ptr<LagProbe>(new LagProbe(pair, std::move(primary), std::move(standby)));
}

LagProbe::LagProbe(const ReplicatedPair& pair, std::unique_ptr<SqlClient> primary, std::unique_ptr<SqlClient> standby)
    : pair_(pair),
      primary_(std::move(primary)),
      standby_(std::move(standby)),
      marking_([this](std::stop_token stop) { Mark(stop); }),
      looking_([this](std::stop_token stop) { Look(stop); }) {}

void LagProbe::Fail(const absl::Status& status) {
  std::lock_guard lock(mutex_);
  if (failed_.ok()) failed_ = status;
}

// In one query string, so that nothing is waited for between the commit and the question where it stands.
void LagProbe::Mark(std::stop_token stop) {
  const std::string mark = fmt::format("BEGIN; {}; COMMIT; {}", kMarkerUpdate, pair_.commit_position_query());
  while (!stop.stop_requested()) {
    const absl::StatusOr<Position> position = ReadPosition(pair_, *primary_, mark);
    if (!position.ok()) return Fail(position.status());
    {
      std::lock_guard lock(mutex_);
      markers_.push_back({*position, {.at_s = since_start_.Seconds()}});
    }
    Pause(kMarkEveryMs);
  }
}

void LagProbe::Look(std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (const absl::Status looked = LookOnce(); !looked.ok()) return Fail(looked);
    Pause(kLookEveryMs);
  }
}

absl::Status LagProbe::LookOnce() {
  ASSIGN_OR_RETURN(const Reached reached, ReadReached(pair_, *standby_));
  const double now_s = since_start_.Seconds();
  std::lock_guard lock(mutex_);
  const auto lag_ms = [now_s](const Marker& marker) { return std::max(0.0, now_s - marker.sample.at_s) * 1e3; };
  for (; durable_ < markers_.size() && markers_[durable_].position <= reached.durable; ++durable_)
    markers_[durable_].sample.durable_ms = lag_ms(markers_[durable_]);
  for (; applied_ < markers_.size() && markers_[applied_].position <= reached.applied; ++applied_)
    markers_[applied_].sample.applied_ms = lag_ms(markers_[applied_]);
  return absl::OkStatus();
}

bool LagProbe::AllSeen() {
  std::lock_guard lock(mutex_);
  return !failed_.ok() || (durable_ == markers_.size() && applied_ == markers_.size());
}

absl::StatusOr<std::vector<LagSample>> LagProbe::Finish() {
  marking_.request_stop();
  marking_.join();
  const bool seen = WaitUntil(kLastMarkerTimeoutMs, [this] { return AllSeen(); });
  looking_.request_stop();
  looking_.join();
  RETURN_IF_ERROR(failed_);
  if (!seen || markers_.empty()) return absl::DeadlineExceededError("the standby does not reach the last marker");
  std::vector<LagSample> samples;
  for (const Marker& marker : markers_) samples.push_back(marker.sample);
  return samples;
}

}  // namespace anabranch
