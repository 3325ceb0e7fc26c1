#include "storage/rocks/log_check.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/status.h"
#include "storage/rocks/keyspace.h"
#include "storage/rocks/log_format.h"

namespace anabranch {
namespace {

// A record is a WriteBatch: sequence of its first operation (8 B LE), their number (4 B LE), operations. Ours begin with
// the mark: tag, length, 8 B BE.
constexpr size_t kBatchHeaderBytes = 12;
constexpr char kLogDataTag = 3;
constexpr size_t kMarkBytes = 16;

uint64_t LittleEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return value;
}

struct Fragment {
  FragmentType type = FragmentType::kFull;
  std::string_view payload;
};

// The fragment that begins the bytes, if it is whole and checks out.
std::optional<Fragment> Parse(std::string_view bytes) {
  if (bytes.size() < kFragmentHeaderBytes) return std::nullopt;
  const size_t length = LittleEndian(bytes.substr(4, 2));
  const auto type = static_cast<FragmentType>(bytes[6]);
  if (type < FragmentType::kFull || type > FragmentType::kLast) return std::nullopt;
  if (bytes.size() < kFragmentHeaderBytes + length) return std::nullopt;
  const uint32_t crc = Crc32c(bytes.substr(6, 1 + length));
  const uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  if (masked != LittleEndian(bytes.substr(0, 4))) return std::nullopt;
  return Fragment{type, bytes.substr(kFragmentHeaderBytes, length)};
}

// Whether the file ends within the fragment that begins here, `block_left` before the end of its block.
bool IsCutOff(std::string_view rest, size_t block_left) {
  if (rest.size() >= block_left) return false;
  if (rest.size() < kFragmentHeaderBytes) return rest.find_first_not_of('\0') != std::string_view::npos;
  const size_t bytes = kFragmentHeaderBytes + LittleEndian(rest.substr(4, 2));
  const auto type = static_cast<FragmentType>(rest[6]);
  return type >= FragmentType::kFull && type <= FragmentType::kLast && rest.size() < bytes && bytes <= block_left;
}

std::optional<SyncedMark> MarkOf(std::string_view record) {
  if (record.size() < kBatchHeaderBytes + 2 + kMarkBytes) return std::nullopt;
  record.remove_prefix(kBatchHeaderBytes);
  if (record[0] != kLogDataTag || record[1] != static_cast<char>(kMarkBytes)) return std::nullopt;
  record.remove_prefix(2);
  SyncedMark mark;
  TakeFixed64BigEndian(&record, &mark.first_log);
  TakeFixed64BigEndian(&record, &mark.sequence);
  return mark;
}

// Goes over the fragments of all logs, oldest first. In each it follows the sequence up to the first damage; from there on
// it looks for records that prove that what was lost had been synced.
class Scan {
 public:
  // Within which record a log ends: it was not written to its end, and so never acknowledged.
  struct Unfinished {
    std::string log;
    uint64_t at = 0;
    bool has_newer_log = false;
  };

  void BeginFile(const std::string& path, uint64_t number) {
    if (unfinished_) unfinished_->has_newer_log = true;
    path_ = path;
    number_ = number;
    whole_upto_ = 0;
    in_record_ = false;
    damaged_ = false;
    zeros_at_.reset();
  }

  void Block(uint64_t offset, std::string_view block) {
    size_t at = 0;
    while (at + kFragmentHeaderBytes <= block.size()) {
      if (const std::optional<Fragment> fragment = Parse(block.substr(at))) {
        if (zeros_at_) Damaged(*zeros_at_);  // within the log, not after its end
        zeros_at_.reset();
        Take(*fragment, offset + at);
        at += kFragmentHeaderBytes + fragment->payload.size();
        continue;
      }
      const size_t next = block.find_first_not_of('\0', at);
      if (next == std::string_view::npos) {
        if (!zeros_at_) zeros_at_ = offset + at;
        return;
      }
      LookAtEnd(block, at, offset);
      Damaged(zeros_at_.value_or(offset + at));
      zeros_at_.reset();
      // The length may be what is wrong: the next fragment can begin anywhere, but its type, the last byte of its header,
      // is not zero.
      at = std::max(at + 1, next + 1 - std::min(next + 1, kFragmentHeaderBytes));
    }
    LookAtEnd(block, at, offset);
  }

  void EndFile(uint64_t size) {
    if (!in_record_) return;
    if (!damaged_ && !zeros_at_) unfinished_ = {path_, record_at_};
    Damaged(size);
  }

  const absl::Status& result() const { return result_; }
  // In the newest log that holds a record or a part of one.
  const std::optional<Unfinished>& unfinished() const { return unfinished_; }

 private:
  struct Damage {
    std::string path;
    uint64_t number = 0;  // of the log
    uint64_t at = 0;
    uint64_t sequence = 0;  // the first that was lost; 0: not known
  };

  void LookAtEnd(std::string_view block, size_t at, uint64_t offset) {
    if (damaged_ || zeros_at_ || at > block.size() || !IsCutOff(block.substr(at), kLogBlockBytes - at)) return;
    unfinished_ = {path_, in_record_ ? record_at_ : offset + at};
  }

  void Take(const Fragment& fragment, uint64_t at) {
    unfinished_.reset();
    const bool begins = fragment.type == FragmentType::kFull || fragment.type == FragmentType::kFirst;
    if (begins == in_record_) Damaged(at);
    if (begins) record_at_ = at;
    if (begins) Begin(fragment.payload);
    if (damaged_) return;
    in_record_ = fragment.type == FragmentType::kFirst || fragment.type == FragmentType::kMiddle;
    if (!in_record_) whole_upto_ = record_end_;
  }

  void Begin(std::string_view record) {
    if (record.size() < kBatchHeaderBytes) return;
    const uint64_t sequence = LittleEndian(record.substr(0, 8));
    record_end_ = sequence + LittleEndian(record.substr(8, 4));
    // Where the log after it goes on with the very next operation, what is damaged were no records.
    std::erase_if(damages_,
                  [&](const Damage& d) { return d.number < number_ && d.sequence != 0 && d.sequence == sequence; });
    const std::optional<SyncedMark> mark = MarkOf(record);
    if (!mark) return;
    for (Damage& damage : damages_) {
      if (damage.number < mark->first_log) continue;
      // With nothing whole before the damage, what was lost ends at the latest where this record begins.
      if (damage.sequence == 0) damage.sequence = std::max<uint64_t>(sequence, 1) - 1;
      if (mark->sequence >= damage.sequence && result_.ok()) {
        result_ = SqlError(
            sqlstate::kDataCorrupted,
            fmt::format("write-ahead log {} is damaged at byte {}, where acknowledged writes were", damage.path, damage.at),
            "Restore the store's files, or replicate its virtual clusters anew from the other side.");
      }
    }
  }

  void Damaged(uint64_t at) {
    if (unfinished_ && unfinished_->log != path_) unfinished_.reset();
    in_record_ = false;
    if (!damaged_) damages_.push_back({path_, number_, at, whole_upto_});
    damaged_ = true;
  }

  std::string path_;
  uint64_t number_ = 0;
  uint64_t whole_upto_ = 0;  // the sequence after the last whole record of this log; 0: none yet
  uint64_t record_at_ = 0;   // where the record that began last did
  uint64_t record_end_ = 0;  // the sequence after it
  bool in_record_ = false;
  bool damaged_ = false;              // this log
  std::optional<uint64_t> zeros_at_;  // since when nothing but zeros has come: the room ahead of the log, so far
  std::vector<Damage> damages_;       // the first of each log
  std::optional<Unfinished> unfinished_;
  absl::Status result_;
};

absl::Status CutOff(rocksdb::Env* env, const std::string& path, uint64_t at) {
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = env->ReopenWritableFile(path, &file, rocksdb::EnvOptions());
  if (status.ok()) status = file->Truncate(at);
  if (status.ok()) status = file->Fsync();
  if (status.ok()) status = file->Close();
  return FromRocks(status, "cut an unfinished record off " + path);
}

absl::Status ScanLog(rocksdb::Env* env, const std::string& path, uint64_t number, Scan* scan) {
  std::unique_ptr<rocksdb::SequentialFile> file;
  RETURN_IF_ERROR(FromRocks(env->NewSequentialFile(path, &file, rocksdb::EnvOptions()), "open " + path));
  std::string block(kLogBlockBytes, '\0');
  std::string scratch(kLogBlockBytes, '\0');
  uint64_t offset = 0;
  scan->BeginFile(path, number);
  while (true) {
    size_t filled = 0;
    rocksdb::Slice read;
    do {
      RETURN_IF_ERROR(FromRocks(file->Read(kLogBlockBytes - filled, &read, scratch.data()), "read " + path));
      std::copy_n(read.data(), read.size(), block.begin() + filled);
      filled += read.size();
    } while (filled < kLogBlockBytes && !read.empty());
    scan->Block(offset, std::string_view(block).substr(0, filled));
    offset += filled;
    if (filled < kLogBlockBytes) break;
  }
  scan->EndFile(offset);
  return absl::OkStatus();
}

}  // namespace

void PutSyncedMark(rocksdb::WriteBatch* batch, const SyncedMark& mark) {
  std::string encoded;
  PutFixed64BigEndian(&encoded, mark.first_log);
  PutFixed64BigEndian(&encoded, mark.sequence);
  batch->PutLogData(encoded);
}

absl::StatusOr<uint64_t> CheckLogs(rocksdb::Env* env, const std::string& dir) {
  std::vector<std::string> names;
  RETURN_IF_ERROR(FromRocks(env->GetChildren(dir, &names), "list " + dir));
  std::map<uint64_t, std::string> logs;
  for (const std::string& name : names) {
    if (!name.ends_with(".log") || name.find_first_not_of("0123456789") != name.size() - 4) continue;
    logs.emplace(std::strtoull(name.c_str(), nullptr, 10), name);
  }
  Scan scan;
  for (const auto& [number, name] : logs) RETURN_IF_ERROR(ScanLog(env, dir + "/" + name, number, &scan));
  RETURN_IF_ERROR(scan.result());
  if (scan.unfinished() && scan.unfinished()->has_newer_log) {
    Log(LogLevel::kWarning, "store.log_cut", "log={} at={}", scan.unfinished()->log, scan.unfinished()->at);
    RETURN_IF_ERROR(CutOff(env, scan.unfinished()->log, scan.unfinished()->at));
  }
  return logs.empty() ? 0 : logs.rbegin()->first + 1;
}

}  // namespace anabranch
