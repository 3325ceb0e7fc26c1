// Framing of the stream: one frame per COPY data message, CRC-32C (4 B, little endian) of what follows, then a serialized wire::Frame.
// A frame that fails its CRC, does not parse, or skips a sequence number ends the connection: reconnect, never guess.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/types.h"
#include "stream/wire.pb.h"

namespace anabranch {

inline constexpr uint32_t kProtocolVersion = 1;
inline constexpr size_t kFrameBytesMax = 4 << 20;         // a larger transaction is split over frames, its checkpoint is not
inline constexpr size_t kFileChunkBytes = 1 << 20;
inline constexpr uint64_t kCreditWindowBytes = 16 << 20;  // in flight per partition
inline constexpr uint64_t kCheckpointIntervalMs = 100;
inline constexpr int kSilentIntervalsMax = 30;            // 3 s without any frame: reconnect
static_assert(kFileChunkBytes < kFrameBytesMax && kFrameBytesMax < kCreditWindowBytes);

std::string EncodeFrame(const wire::Frame& frame);
// DataLoss for a bad CRC, a frame that does not parse, one larger than kFrameBytesMax + its envelope.
absl::StatusOr<wire::Frame> DecodeFrame(std::string_view bytes);

// Appends one version to the flat form of Batch.versions.
void AppendVersion(std::string* flat, std::string_view key, Timestamp timestamp, WriteKind kind, std::string_view value);
// Takes `flat` (raw) into a batch, compressing it when that pays.
wire::Batch MakeBatch(std::string flat);
absl::StatusOr<std::vector<Version>> DecodeBatch(const wire::Batch& batch);

}  // namespace anabranch
