// "Is this key in any of these spans?" in logarithmic time: for what a transaction read, and for what a stream carries.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "storage/api/types.h"

namespace anabranch {

class SpanSet {
 public:
  // Spans may overlap and must outlive the set.
  explicit SpanSet(const std::vector<Span>& spans) {
    for (const Span& span : spans) entries_.push_back({span.start, span.end, span.end.empty()});
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.start < b.start; });
    for (size_t i = 1; i < entries_.size(); ++i) {
      entries_[i].unbounded |= entries_[i - 1].unbounded;
      entries_[i].reach = std::max(entries_[i].reach, entries_[i - 1].reach);
    }
  }

  bool Contains(std::string_view key) const {
    const auto after = std::upper_bound(entries_.begin(), entries_.end(), key,
                                        [](std::string_view k, const Entry& entry) { return k < entry.start; });
    if (after == entries_.begin()) return false;
    const Entry& last = *std::prev(after);
    return last.unbounded || key < last.reach;
  }

 private:
  struct Entry {
    std::string_view start;
    std::string_view reach;  // the furthest end of this span and all before it
    bool unbounded = false;  // one of them has no end
  };
  std::vector<Entry> entries_;
};

}  // namespace anabranch
