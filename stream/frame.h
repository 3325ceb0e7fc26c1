// Framing of the stream: one frame per COPY data message, CRC-32C (4 B, little endian) of what follows, then a serialized
// wire::Frame. A frame that fails its CRC, does not parse, or skips a sequence number ends the connection: reconnect, never
// guess.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/api/types.h"
#include "stream/wire.pb.h"

namespace anabranch {

inline constexpr uint32_t kProtocolVersion = 1;
inline constexpr size_t kFrameBytesMax = 4 << 20;     // a larger transaction is split over frames, its checkpoint is not
inline constexpr size_t kFrameEnvelopeBytesMax = 64;  // CRC, sequence, clock and field tags around the payload
inline constexpr size_t kFlatBytesTarget =
    1 << 20;  // versions are gathered into a batch up to this; one that is larger is a batch alone
// Versions of one batch before compression: what a receiver must be ready to hold.
inline constexpr size_t kFlatBytesMax = kFlatBytesTarget + kKeyBytesMax + kValueBytesMax + 32;
inline constexpr size_t kFileChunkBytes = 1 << 20;
inline constexpr uint64_t kCreditWindowBytes = 16 << 20;  // in flight per partition
inline constexpr uint64_t kCheckpointIntervalMs = 100;
inline constexpr uint64_t kCheckpointIntervalMsMin = 20;
inline constexpr uint64_t kCheckpointIntervalMsMax = 10'000;
inline constexpr int kSilentIntervalsMax = 30;  // 3 s without any frame: reconnect
static_assert(kFileChunkBytes < kFrameBytesMax && kFlatBytesTarget < kFrameBytesMax);
// A window holds at least one frame beyond the half that is acknowledged at the latest: the two ends never wait for each
// other.
static_assert(kFrameBytesMax + kFrameEnvelopeBytesMax <= kCreditWindowBytes / 2);

std::string EncodeFrame(const wire::Frame& frame);
// DataLoss for a bad CRC, a frame that does not parse, one larger than kFrameBytesMax and its envelope.
absl::StatusOr<wire::Frame> DecodeFrame(std::string_view bytes);

// Appends one version to the flat form of Batch.versions.
void AppendVersion(std::string* flat, std::string_view key, Timestamp timestamp, WriteKind kind, std::string_view value);
// Takes `flat` (raw) into a batch, compressing it when that pays.
wire::Batch MakeBatch(std::string flat);
// The batch as it fits into frames: itself, or pieces of which all but the last say `more`. JoinBatch puts `piece` behind
// what came before it (an empty batch at first). DataLoss if that grows beyond what a batch can hold.
std::vector<wire::Batch> SplitBatch(wire::Batch batch);
absl::Status JoinBatch(wire::Batch* whole, wire::Batch piece);
// DataLoss if it does not decode: unknown compression or kind, wrong lengths, trailing bytes. REQUIRES: no `more`.
absl::StatusOr<std::vector<Version>> DecodeBatch(const wire::Batch& batch);

}  // namespace anabranch
