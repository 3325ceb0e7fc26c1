#include "storage/rocks/meta_format.h"

#include "base/coding.h"

namespace anabranch {
namespace {

constexpr char kStateFormat = 0x01;
constexpr uint64_t kPublishedFlag = 1;
constexpr uint64_t kDroppingFlag = 2;
constexpr uint64_t kIngestingFlag = 4;

bool TakeTimestamp(std::string_view* in, Timestamp* ts) { return TakeFixed64BigEndian(in, &ts->ns); }

}  // namespace

std::string MetaKeyspaceKey(const IncarnationId& incarnation) {
  return std::string(kMetaKeyspacePrefix) + incarnation.value();
}
std::string MetaFrontierKey(const IncarnationId& incarnation) { return "frontier/" + incarnation.value(); }
std::string MetaProtectPrefix(const IncarnationId& incarnation) { return "protect/" + incarnation.value() + "/"; }

std::string MetaCollectedKey(const IncarnationId& incarnation) { return "collected/" + incarnation.value(); }

std::string EncodeTimestamp(Timestamp ts) {
  std::string encoded;
  PutFixed64BigEndian(&encoded, ts.ns);
  return encoded;
}

bool DecodeTimestamp(std::string_view encoded, Timestamp* ts) { return TakeTimestamp(&encoded, ts) && encoded.empty(); }

std::string EncodeFormatVersion(uint64_t version) {
  std::string encoded;
  PutVarint(&encoded, version);
  return encoded;
}

bool DecodeFormatVersion(std::string_view encoded, uint64_t* version) {
  return TakeVarint(&encoded, version) && encoded.empty();
}

std::string EncodeKeyspaceState(const KeyspaceState& state) {
  std::string encoded(1, kStateFormat);
  PutVarint(&encoded, state.epoch.value());
  PutVarint(&encoded, (state.published ? kPublishedFlag : 0) | (state.dropping ? kDroppingFlag : 0) |
                          (state.ingesting ? kIngestingFlag : 0));
  PutFixed64BigEndian(&encoded, state.floor.ns);
  PutVarint(&encoded, state.hidden.size());
  for (const HiddenInterval& interval : state.hidden) {
    PutFixed64BigEndian(&encoded, interval.after.ns);
    PutFixed64BigEndian(&encoded, interval.upto.ns);
  }
  return encoded;
}

bool DecodeKeyspaceState(std::string_view encoded, KeyspaceState* state) {
  *state = KeyspaceState{};
  if (encoded.empty() || encoded.front() != kStateFormat) return false;
  encoded.remove_prefix(1);
  uint64_t epoch = 0;
  uint64_t flags = 0;
  uint64_t hidden = 0;
  if (!TakeVarint(&encoded, &epoch) || !TakeVarint(&encoded, &flags) || !TakeTimestamp(&encoded, &state->floor) ||
      !TakeVarint(&encoded, &hidden)) {
    return false;
  }
  state->epoch = Epoch(epoch);
  state->published = (flags & kPublishedFlag) != 0;
  state->dropping = (flags & kDroppingFlag) != 0;
  state->ingesting = (flags & kIngestingFlag) != 0;
  for (uint64_t i = 0; i < hidden; ++i) {
    HiddenInterval interval;
    if (!TakeTimestamp(&encoded, &interval.after) || !TakeTimestamp(&encoded, &interval.upto)) return false;
    state->hidden.push_back(interval);
  }
  return encoded.empty();
}

}  // namespace anabranch
