// What storage reads from disk, from any bytes: whatever decodes must encode to the same bytes again, and a store that
// holds a malformed entry says so and serves nothing in its place. The first byte chooses what the rest is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/reader.h"
#include "storage/rocks/meta_format.h"
#include "storage/testing/fault_store.h"

namespace anabranch {
namespace {

constexpr int kEntriesPerStore = 5000;  // what was deleted still takes memory

void FuzzVersionKey(std::string_view bytes) {
  std::string key;
  Timestamp ts;
  if (DecodeVersionKey(bytes, &key, &ts)) CHECK(EncodeVersionKey(key, ts) == bytes, "a version key of two encodings");
  const Timestamp given{bytes.size()};
  CHECK(DecodeVersionKey(EncodeVersionKey(bytes, given), &key, &ts) && key == bytes && ts == given, "a key is lost");
}

// The rest is the value of an entry whose key fits it, or key and value.
void FuzzChange(std::string_view bytes) {
  ChangeEntry entry;
  if (bytes.size() >= 24 && DecodeChange(bytes.substr(0, 24), bytes.substr(24), &entry)) {
    std::vector<std::string_view> keys(entry.keys.begin(), entry.keys.end());
    const auto again = EncodeChange(entry.timestamp, keys);
    CHECK(!again.empty(), "an entry without keys decoded");
    if (again.size() == 1) CHECK(again[0].first == bytes.substr(0, 24), "a change of two encodings");
  }
  // Every encoded change decodes: the bytes between zeros are its keys.
  std::vector<std::string_view> keys;
  for (size_t begin = 0; begin < bytes.size();) {
    const size_t end = std::min(bytes.find('\0', begin), bytes.size());
    const std::string_view key = bytes.substr(begin, end - begin);
    if (keys.empty() || keys.back() < key) keys.push_back(key);
    begin = end + 1;
  }
  size_t decoded = 0;
  for (const auto& [key, value] : EncodeChange(Timestamp{7}, keys)) {
    CHECK(DecodeChange(key, value, &entry) && entry.timestamp == Timestamp{7}, "an encoded change does not decode");
    for (const std::string& found : entry.keys) CHECK(found == keys[decoded++], "a change lost a key");
  }
  CHECK(decoded == keys.size(), "a change lost keys");
}

void FuzzMeta(std::string_view bytes) {
  KeyspaceState state;
  if (DecodeKeyspaceState(bytes, &state)) {
    KeyspaceState again;
    CHECK(DecodeKeyspaceState(EncodeKeyspaceState(state), &again), "a state that decoded does not encode");
    CHECK(EncodeKeyspaceState(again) == EncodeKeyspaceState(state), "a state changed on the way");
  }
  Timestamp ts;
  if (DecodeTimestamp(bytes, &ts)) CHECK(EncodeTimestamp(ts) == bytes, "a timestamp of two encodings");
  uint64_t version = 0;
  (void)DecodeFormatVersion(bytes, &version);
}

// An entry of `data` as it is: the rest is the length of its key, the key and the value.
class Reading {
 public:
  void Fuzz(std::string_view bytes) {
    if (bytes.empty()) return;
    if (store_ == nullptr || ++entries_ % kEntriesPerStore == 0) Renew();
    const size_t length = std::min<size_t>(static_cast<uint8_t>(bytes[0]), bytes.size() - 1);
    const std::string_view key = bytes.substr(1, length);
    const std::string_view value = bytes.substr(1 + length);
    store_->PutRaw("a", key, value);
    Read(key, value);
    store_->DeleteRaw("a", key);
  }

 private:
  void Renew() {
    store_ = std::make_unique<FaultStore>(1);
    CHECK(store_->Open().ok() && store_->Create("a").ok(), "a store in memory");
  }
  void Read(std::string_view key, std::string_view value) {
    std::string user_key;
    Timestamp ts;
    const bool whole = DecodeVersionKey(key, &user_key, &ts);
    const bool put = !value.empty() && value.front() == static_cast<char>(WriteKind::kPut);
    const bool tombstone = !value.empty() && value.front() == static_cast<char>(WriteKind::kTombstone);
    const Timestamp at = store_->store()->visible();
    auto reader = MvccReader::Open(store_->store(), store_->Find("a"), at);
    CHECK(reader.ok(), "a reader at the visible timestamp");
    const auto scan = (*reader)->Scan(Span{});
    const absl::StatusOr<bool> found = scan->Next();
    if (found.ok() && *found) {
      CHECK(whole && put && ts <= at && scan->key() == user_key && scan->value() == value.substr(1), "a scan made it up");
    }
    if (!whole || ts > at) return;
    const auto row = (*reader)->Get(user_key);
    if (put || tombstone) {
      CHECK(row.ok() && row->has_value() == put, "a get missed it");
      if (put) CHECK((*row)->value == value.substr(1), "a get made it up");
    } else {
      CHECK(SqlStateOf(row.status()) == "XX001" && SqlStateOf(found.status()) == "XX001", "a bad value was served");
    }
  }

  std::unique_ptr<FaultStore> store_;
  int entries_ = 0;
};

}  // namespace
}  // namespace anabranch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const reading =
      new anabranch::Reading;  // never closed: what RocksDB needs for it goes first when a process ends
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      anabranch::FuzzVersionKey(rest);
      break;
    case 1:
      anabranch::FuzzChange(rest);
      break;
    case 2:
      anabranch::FuzzMeta(rest);
      break;
    default:
      reading->Fuzz(rest);
  }
  return 0;
}
