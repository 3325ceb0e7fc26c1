#include "storage/mvcc/version_walker.h"

namespace anabranch {
namespace {

constexpr char kPastTerminator = 0x02;  // in place of the terminator's last byte: above the key, below every longer one
// A Next costs about a tenth of a Seek, and most keys have few versions.
constexpr int kNextsBeforeSeek = 6;

}  // namespace

absl::Status MalformedVersion(std::string_view encoded, std::string_view what) {
  return absl::DataLossError(fmt::format("{} at data key {}", what, ToHex(encoded)));
}

bool VersionWalker::SkipInvisible(std::string_view prefix) {
  int nexts = 0;
  do {
    const Timestamp ts = VersionTimestamp(iterator_->key());
    Timestamp target = at_;
    if (ts <= at_) {
      const HiddenInterval* hidden = iterator_->HiddenAround(ts);
      if (hidden == nullptr) return true;
      target = hidden->after;
    }
    if (nexts < kNextsBeforeSeek) {
      ++nexts;
      iterator_->Next();
    } else {
      nexts = 0;
      SeekVersion(prefix, target);
    }
  } while (InKey(prefix));
  return false;
}

void VersionWalker::SkipOlder(std::string_view prefix) {
  for (int nexts = 1; nexts < kNextsBeforeSeek; ++nexts) {
    iterator_->Next();
    if (!InKey(prefix)) return;
  }
  seek_key_.assign(prefix);
  seek_key_.back() = kPastTerminator;
  iterator_->Seek(seek_key_);
}

void VersionWalker::SeekVersion(std::string_view prefix, Timestamp newest) {
  seek_key_.assign(prefix);
  PutFixed64BigEndian(&seek_key_, ~newest.ns);
  iterator_->Seek(seek_key_);
}

bool SpanWalker::Fail(std::string_view what) {
  status_ = MalformedVersion(encoded_key(), what);
  return false;
}

bool SpanWalker::Finish() {
  status_ = walker_.iterator().status();
  walker_.iterator().CountSteps();
  return false;
}

}  // namespace anabranch
