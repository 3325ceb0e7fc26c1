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
// the mark: tag, length, five times 8 B BE, their signature (8 B BE). Those of earlier programs have no signature, or the
// first log and the last synced sequence alone. A record with another first operation has no mark.
constexpr size_t kBatchHeaderBytes = 12;
constexpr char kLogDataTag = 3;
constexpr size_t kMarkBytes = 40;
constexpr size_t kEarlierMarkBytes = 16;
constexpr size_t kSignedMarkBytes = kMarkBytes + 8;
constexpr size_t kHeadBytes = kBatchHeaderBytes + 2 + kSignedMarkBytes;

uint64_t LittleEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return value;
}

struct Fragment {
  FragmentType type = FragmentType::kFull;
  std::string_view payload;

  bool begins() const { return type == FragmentType::kFull || type == FragmentType::kFirst; }
  bool ends() const { return type == FragmentType::kFull || type == FragmentType::kLast; }
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

// The first bytes of a record, as many as are needed, and what they say.
class Head {
 public:
  void Begin() { bytes_.clear(); }
  // True: with these it is complete.
  bool Append(std::string_view payload) {
    if (bytes_.size() == kHeadBytes) return false;
    bytes_.append(payload.substr(0, kHeadBytes - bytes_.size()));
    return bytes_.size() == kHeadBytes;
  }

  size_t bytes() const { return bytes_.size(); }
  uint64_t sequence() const { return LittleEndian(std::string_view(bytes_).substr(0, 8)); }
  uint64_t upto() const { return sequence() + LittleEndian(std::string_view(bytes_).substr(8, 4)); }
  // The mark, if it is signed with the key; without one, as it stands. Of the earliest programs', `before` is not known, and
  // of `synced` the sequence alone.
  std::optional<LogMark> mark(const std::optional<LogKey>& key) const {
    std::string_view rest = bytes_;
    rest.remove_prefix(std::min(rest.size(), kBatchHeaderBytes));
    if (rest.size() < 2 + kEarlierMarkBytes || rest[0] != kLogDataTag) return std::nullopt;
    const size_t length = static_cast<uint8_t>(rest[1]);
    rest.remove_prefix(2);
    if (rest.size() < length || (key && !IsSigned(rest.substr(0, length), *key))) return std::nullopt;
    LogMark mark;
    if (length == kEarlierMarkBytes) {
      TakeFixed64BigEndian(&rest, &mark.first_log);
      TakeFixed64BigEndian(&rest, &mark.synced.upto);
      ++mark.synced.upto;
      return mark;
    }
    if (length != kMarkBytes && length != kSignedMarkBytes) return std::nullopt;
    for (uint64_t* field : {&mark.first_log, &mark.before.log, &mark.before.upto, &mark.synced.log, &mark.synced.upto}) {
      TakeFixed64BigEndian(&rest, field);
    }
    return mark;
  }

 private:
  static bool IsSigned(std::string_view encoded, const LogKey& key) {
    if (encoded.size() != kSignedMarkBytes) return false;
    std::string_view rest = encoded.substr(kMarkBytes);
    uint64_t signature = 0;
    TakeFixed64BigEndian(&rest, &signature);
    return signature == key.Sign(encoded.substr(0, kMarkBytes));
  }

  std::string bytes_;
};

// Goes over the fragments of all logs, oldest first, for as long as one record follows another. Behind the first gap it
// looks for records that say that the gap loses nothing, or that it loses what was synced.
class Scan {
 public:
  struct File {
    std::string path;
    uint64_t whole_upto = 0;  // where its last record ends that is to be replayed
    bool has_more = false;    // than zeros, behind that
  };
  using Logs = std::map<uint64_t, File>;

  Scan(Logs logs, const std::optional<LogKey>& key) : logs_(std::move(logs)), key_(key) {}

  void BeginFile(uint64_t number) {
    number_ = number;
    log_ = &logs_.at(number);
    in_record_ = false;
    torn_ = false;
    zeros_at_.reset();
  }

  void Block(uint64_t offset, std::string_view block) {
    size_t at = 0;
    while (at + kFragmentHeaderBytes <= block.size()) {
      if (const std::optional<Fragment> fragment = Parse(block.substr(at))) {
        if (zeros_at_) Tear(*zeros_at_);  // within the log, not after its end
        Take(*fragment, offset + at);
        at += kFragmentHeaderBytes + fragment->payload.size();
        continue;
      }
      const size_t next = block.find_first_not_of('\0', at);
      if (next == std::string_view::npos) {
        if (!zeros_at_) zeros_at_ = offset + at;
        return;
      }
      Tear(zeros_at_.value_or(offset + at));
      // The length may be what is wrong: the next fragment can begin anywhere, but its type, the last byte of its header,
      // is not zero.
      at = std::max(at + 1, next + 1 - std::min(next + 1, kFragmentHeaderBytes));
    }
    // The file ends within a header, if not with the end of a block.
    const bool has_more = block.size() < kLogBlockBytes && block.find_first_not_of('\0', at) != std::string_view::npos;
    if (has_more) Tear(zeros_at_.value_or(offset + at));
  }

  void EndFile() {
    if (in_record_) Tear(record_at_);
  }

  const absl::Status& result() const { return result_; }
  const Logs& logs() const { return logs_; }

 private:
  struct Gap {
    uint64_t log = 0;
    uint64_t at = 0;
  };

  // What stands here is no record that follows.
  void Tear(uint64_t at) {
    zeros_at_.reset();
    in_record_ = false;
    torn_ = true;
    log_->has_more = true;
    if (!gap_) gap_ = {number_, at};
  }

  void Take(const Fragment& fragment, uint64_t at) {
    if (fragment.begins() == in_record_) Tear(in_record_ ? record_at_ : at);
    if (fragment.begins()) {
      head_.Begin();
      record_at_ = at;
      in_record_ = true;
    }
    if (!in_record_) return;
    const bool complete = head_.Append(fragment.payload);
    if (fragment.ends() && head_.bytes() < kBatchHeaderBytes) return Tear(record_at_);
    if (complete || (fragment.ends() && head_.bytes() < kHeadBytes)) Judge();
    if (!fragment.ends()) return;
    in_record_ = false;
    if (gap_) {
      log_->has_more = true;
      return;
    }
    whole_ = {number_, head_.upto()};
    log_->whole_upto = at + kFragmentHeaderBytes + fragment.payload.size();
  }

  // The head of a record is known.
  void Judge() {
    const std::optional<LogMark> mark = head_.mark(key_);
    if (gap_ && gap_->log < number_ && !torn_ && GoesOn(mark)) gap_.reset();
    if (!mark) return;
    if (!gap_ && !Follows(*mark)) {
      const uint64_t log = std::max(whole_.log, mark->before.log);
      gap_ = {log, logs_.at(log).whole_upto};
    }
    if (!gap_ || mark->first_log > gap_->log || !IsLost(mark->synced) || !result_.ok()) return;
    result_ = SqlError(sqlstate::kDataCorrupted,
                       fmt::format("write-ahead log {} is damaged at byte {}, where acknowledged writes were",
                                   logs_.at(gap_->log).path, gap_->at),
                       "Restore the store's files, or replicate its virtual clusters anew from the other side.");
  }

  // A log that is not there any more was not needed any more, and so none before it.
  bool Follows(const LogMark& mark) const { return !logs_.contains(mark.before.log) || mark.before == whole_; }

  bool IsLost(const LogPlace& record) const {
    if (record.log != 0) return record > whole_ && logs_.contains(record.log);
    // With nothing whole before the gap, what was lost ends at the latest where this record begins.
    return record.upto > whole_.upto && (whole_.log != 0 || record.upto >= head_.sequence());
  }

  // The record begins a log, and nothing is lost between it and the last whole one: what stood in the gap were no records.
  bool GoesOn(const std::optional<LogMark>& mark) const {
    const bool follows = mark && mark->before.log != 0 && Follows(*mark);
    return follows || (mark && mark->first_log > gap_->log) || head_.sequence() == whole_.upto;
  }

  Logs logs_;
  const std::optional<LogKey>& key_;
  // The log that is read.
  uint64_t number_ = 0;
  File* log_ = nullptr;
  bool torn_ = false;
  std::optional<uint64_t> zeros_at_;  // since when nothing but zeros has come: the room ahead of the log, so far
  bool in_record_ = false;
  uint64_t record_at_ = 0;  // where the record that began last did
  Head head_;               // and its head
  LogPlace whole_;          // the last record of those that follow one another
  std::optional<Gap> gap_;  // behind it
  absl::Status result_;
};

absl::Status CutOff(rocksdb::Env* env, const Scan::File& log) {
  Log(LogLevel::kWarning, "store.log_cut", "log={} at={}", log.path, log.whole_upto);
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = env->ReopenWritableFile(log.path, &file, rocksdb::EnvOptions());
  if (status.ok()) status = file->Truncate(log.whole_upto);
  if (status.ok()) status = file->Fsync();
  if (status.ok()) status = file->Close();
  return FromRocks(status, "cut unacknowledged records off " + log.path);
}

absl::Status ScanLog(rocksdb::Env* env, const std::string& path, uint64_t number, Scan* scan) {
  std::unique_ptr<rocksdb::SequentialFile> file;
  RETURN_IF_ERROR(FromRocks(env->NewSequentialFile(path, &file, rocksdb::EnvOptions()), "open " + path));
  std::string block(kLogBlockBytes, '\0');
  std::string scratch(kLogBlockBytes, '\0');
  uint64_t offset = 0;
  scan->BeginFile(number);
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
  scan->EndFile();
  return absl::OkStatus();
}

}  // namespace

void PutLogMark(rocksdb::WriteBatch* batch, const LogMark& mark, const LogKey& key) {
  std::string encoded;
  for (const uint64_t field : {mark.first_log, mark.before.log, mark.before.upto, mark.synced.log, mark.synced.upto}) {
    PutFixed64BigEndian(&encoded, field);
  }
  PutFixed64BigEndian(&encoded, key.Sign(encoded));
  batch->PutLogData(encoded);
}

bool HasMark(const rocksdb::WriteBatch& batch, const LogMark& mark) {
  Head head;
  head.Append(batch.Data());
  return head.mark(std::nullopt) == mark;
}

uint64_t SequenceAfter(const rocksdb::WriteBatch& batch) {
  Head head;
  head.Append(batch.Data());
  return head.upto();
}

absl::StatusOr<uint64_t> CheckLogs(rocksdb::Env* env, const std::string& dir, const std::optional<LogKey>& key) {
  std::vector<std::string> names;
  RETURN_IF_ERROR(FromRocks(env->GetChildren(dir, &names), "list " + dir));
  Scan::Logs logs;
  for (const std::string& name : names) {
    if (!name.ends_with(".log") || name.find_first_not_of("0123456789") != name.size() - 4) continue;
    logs[std::strtoull(name.c_str(), nullptr, 10)].path = dir + "/" + name;
  }
  Scan scan(logs, key);
  for (const auto& [number, log] : logs) RETURN_IF_ERROR(ScanLog(env, log.path, number, &scan));
  RETURN_IF_ERROR(scan.result());
  // The newest first: until the gap itself is cut off, it is found again.
  for (auto log = scan.logs().rbegin(); log != scan.logs().rend(); ++log) {
    if (log->second.has_more) RETURN_IF_ERROR(CutOff(env, log->second));
  }
  return logs.empty() ? 0 : logs.rbegin()->first + 1;
}

}  // namespace anabranch
