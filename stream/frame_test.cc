#include "stream/frame.h"

#include <random>

#include "base/coding.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

Version Put(std::string key, uint64_t ts, std::string value) {
  return {std::move(key), {ts}, {WriteKind::kPut, std::move(value)}};
}

std::string Flat(const std::vector<Version>& versions) {
  std::string flat;
  for (const Version& v : versions) AppendVersion(&flat, v.key, v.timestamp, v.write.kind, v.write.value);
  return flat;
}

bool Same(const Version& a, const Version& b) {
  return a.key == b.key && a.timestamp == b.timestamp && a.write.kind == b.write.kind && a.write.value == b.write.value;
}

std::string Noise(size_t bytes) {
  std::mt19937_64 engine(7);
  std::string noise(bytes, '\0');
  for (char& c : noise) c = static_cast<char>(engine());
  return noise;
}

wire::Frame ExampleFrame() {
  wire::Frame frame;
  frame.set_sequence(3);
  frame.set_clock_ns(1'700'000'000'000'000'000);
  std::string flat;
  AppendVersion(&flat, "k1", {1'699'999'999'900'000'000}, WriteKind::kPut, "red");
  *frame.mutable_batch() = MakeBatch(std::move(flat));
  return frame;
}

// The worked example of docs/protocol.md.
constexpr char kExampleHex[] = "9885801308031100002a36fe9c97171a1410101a1017979cfe30341f0001026b3103726564";

TEST(FrameTest, TheWorkedExampleOfTheDocumentation) {
  EXPECT_EQ(ToHex(EncodeFrame(ExampleFrame())), kExampleHex);
  std::string bytes;
  ASSERT_TRUE(FromHex(kExampleHex, &bytes));
  const auto frame = DecodeFrame(bytes);
  ASSERT_TRUE(frame.ok()) << frame.status();
  const auto versions = DecodeBatch(frame->batch());
  ASSERT_TRUE(versions.ok()) << versions.status();
  ASSERT_EQ(versions->size(), 1u);
  EXPECT_TRUE(Same(versions->front(), Put("k1", 1'699'999'999'900'000'000, "red")));
}

TEST(FrameTest, EveryFlippedBitIsFound) {
  const std::string good = EncodeFrame(ExampleFrame());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(DecodeFrame(bad).status().code(), absl::StatusCode::kDataLoss) << bit;
  }
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(DecodeFrame(std::string_view(good).substr(0, length)).ok()) << length;
  }
}

TEST(FrameTest, FrameLargerThanTheLimitIsRefused) {
  wire::Frame frame;
  frame.set_sequence(UINT64_MAX);
  frame.set_clock_ns(UINT64_MAX);
  frame.mutable_batch()->set_raw_bytes(kFlatBytesMax);
  frame.mutable_batch()->set_compression(wire::Batch::ZSTD);
  frame.mutable_batch()->set_more(true);
  frame.mutable_batch()->set_versions(std::string(kFrameBytesMax, 'x'));
  EXPECT_TRUE(DecodeFrame(EncodeFrame(frame)).ok());  // a full frame and its envelope
  frame.mutable_batch()->mutable_versions()->append(kFrameEnvelopeBytesMax, 'x');
  EXPECT_EQ(DecodeFrame(EncodeFrame(frame)).status().code(), absl::StatusCode::kDataLoss);
}

TEST(FrameTest, LargeBatchesAreCompressedWhenThatPays) {
  std::vector<Version> versions;
  for (int i = 0; i < 1000; ++i) versions.push_back(Put("account/" + std::to_string(i), 100 + i, "balance 1000"));
  versions.push_back({"gone", {5}, {WriteKind::kTombstone, ""}});
  const std::string flat = Flat(versions);
  const wire::Batch batch = MakeBatch(flat);
  EXPECT_EQ(batch.compression(), wire::Batch::ZSTD);
  EXPECT_LT(batch.versions().size(), flat.size() / 2);
  const auto decoded = DecodeBatch(batch);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_EQ(decoded->size(), versions.size());
  for (size_t i = 0; i < versions.size(); ++i) EXPECT_TRUE(Same((*decoded)[i], versions[i])) << i;

  EXPECT_EQ(MakeBatch(Flat({Put("k", 1, std::string(400, 'a'))})).compression(),
            wire::Batch::NONE);                                                             // the batch is too small
  EXPECT_EQ(MakeBatch(Flat({Put("k", 1, Noise(4000))})).compression(), wire::Batch::NONE);  // noise does not shrink
}

TEST(FrameTest, TheLargestVersionTravelsInPieces) {
  const std::vector<Version> versions = {Put(std::string(kKeyBytesMax, 'k'), 9, Noise(kValueBytesMax))};
  const std::vector<wire::Batch> pieces = SplitBatch(MakeBatch(Flat(versions)));
  ASSERT_EQ(pieces.size(), 3u);
  wire::Batch whole;
  for (const wire::Batch& piece : pieces) {
    EXPECT_LE(piece.versions().size(), kFrameBytesMax);
    EXPECT_EQ(piece.more(), &piece != &pieces.back());
    ASSERT_TRUE(JoinBatch(&whole, piece).ok());
  }
  const auto decoded = DecodeBatch(whole);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_TRUE(Same(decoded->at(0), versions[0]));
  EXPECT_EQ(SplitBatch(MakeBatch("abc")).size(), 1u);
}

TEST(FrameTest, PiecesThatGrowBeyondABatchAreRefused) {
  wire::Batch piece;
  piece.set_raw_bytes(kFlatBytesMax);
  piece.set_versions(std::string(kFrameBytesMax, 'x'));
  piece.set_more(true);
  wire::Batch whole;
  absl::Status status;
  size_t joined = 0;
  while (status.ok()) {
    status = JoinBatch(&whole, piece);
    ASSERT_LT(++joined, 10u);
  }
  EXPECT_LE(whole.versions().size(), kFlatBytesMax);
}

TEST(FrameTest, BatchesThatLieAreRefused) {
  const std::string flat = Flat({Put("key", 7, "value")});
  const auto refused = [](wire::Batch batch) { return DecodeBatch(batch).status().code() == absl::StatusCode::kDataLoss; };
  for (size_t length = 1; length < flat.size(); ++length) EXPECT_TRUE(refused(MakeBatch(flat.substr(0, length)))) << length;

  wire::Batch bomb = MakeBatch(std::string(100'000, 'a'));
  ASSERT_EQ(bomb.compression(), wire::Batch::ZSTD);
  bomb.set_raw_bytes(1000);  // fewer bytes than the batch unpacks to
  EXPECT_TRUE(refused(bomb));
  bomb.set_raw_bytes(kFlatBytesMax + 1);
  EXPECT_TRUE(refused(bomb));

  std::string bad_kind = flat;
  bad_kind[8] = 9;
  EXPECT_TRUE(refused(MakeBatch(bad_kind)));
  EXPECT_TRUE(refused(MakeBatch(Flat({{"k", {5}, {WriteKind::kTombstone, "value"}}}))));
  EXPECT_TRUE(refused(MakeBatch(Flat({Put("k", 0, "v")}))));
  EXPECT_TRUE(refused(MakeBatch(Flat({Put("k", UINT64_MAX, "v")}))));
  wire::Batch length = MakeBatch(flat);
  length.set_raw_bytes(flat.size() + 1);
  EXPECT_TRUE(refused(length));
}

}  // namespace
}  // namespace anabranch
