// For tests: what a keyspace must hold and show, kept in a plain map that never forgets a version.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "base/coding.h"
#include "fmt/format.h"
#include "storage/api/keyspace.h"
#include "storage/api/types.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/fingerprint.h"
#include "storage/mvcc/reader.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace anabranch {

struct ModelKeyspace {
  using History = std::map<Timestamp, Write>;
  std::map<std::string, History, std::less<>> keys;
  KeyspaceState state;  // all of it but `newest`, which is not kept here
  std::optional<Timestamp> protected_at;

  const Write* VersionAt(const History& history, Timestamp at, Timestamp* ts) const {
    for (auto it = history.rbegin(); it != history.rend(); ++it) {
      if (it->first > at || state.IsHidden(it->first)) continue;
      *ts = it->first;
      return &it->second;
    }
    return nullptr;
  }
  Timestamp Newest() const {
    Timestamp newest;
    for (const auto& [key, history] : keys) {
      if (!history.empty()) newest = std::max(newest, history.rbegin()->first);
    }
    return newest;
  }
  void EraseAbove(Timestamp after, Timestamp upto) {
    for (auto& [key, history] : keys) history.erase(history.upper_bound(after), history.upper_bound(upto));
  }
  std::string Scan(Timestamp at, const Span& span) const {
    std::string text;
    for (const auto& [key, history] : keys) {
      if (key < span.start || (!span.end.empty() && key >= span.end)) continue;
      Timestamp ts;
      const Write* write = VersionAt(history, at, &ts);
      if (write == nullptr || write->kind != WriteKind::kPut) continue;
      text += fmt::format("{}={}@{} ", ToHex(key), write->value, ts.ns);
    }
    return text;
  }
  std::string Changes(Timestamp after, Timestamp upto, ChangeFilter filter) const {
    std::map<Timestamp, std::string> by_time;
    for (const auto& [key, history] : keys) {
      for (auto it = history.upper_bound(after); it != history.end() && it->first <= upto; ++it) {
        if (filter == ChangeFilter::kVisible && state.IsHidden(it->first)) continue;
        by_time[it->first] +=
            fmt::format("{}{}{} ", ToHex(key), it->second.kind == WriteKind::kPut ? "=" : "-", it->second.value);
      }
    }
    std::string text;
    for (const auto& [ts, versions] : by_time) text += fmt::format("{}: {}", ts.ns, versions);
    return text;
  }
  Fingerprint Digest(std::optional<Timestamp> start, Timestamp at) const {
    Fingerprint result;
    const auto add = [&](const std::string& key, Timestamp ts, const Write& write) {
      const std::string encoded = EncodeVersionKey(key, ts);
      const std::string stored = static_cast<char>(write.kind) + write.value;
      result.digest += XXH3_64bits_withSeed(stored.data(), stored.size(), XXH3_64bits(encoded.data(), encoded.size()));
      ++result.versions;
    };
    for (const auto& [key, history] : keys) {
      if (!start) {
        Timestamp ts;
        const Write* write = VersionAt(history, at, &ts);
        if (write != nullptr && write->kind == WriteKind::kPut) add(key, ts, *write);
        continue;
      }
      for (auto it = history.upper_bound(*start); it != history.end() && it->first <= at; ++it) {
        if (!state.IsHidden(it->first)) add(key, it->first, it->second);
      }
    }
    return result;
  }
};

}  // namespace anabranch
