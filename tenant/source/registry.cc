#include "tenant/source/registry.h"

#include <algorithm>
#include <utility>

namespace anabranch {

StreamRegistry::Registration::Registration(StreamRegistry* registry, TenantId tenant, StreamId stream,
                                           Connection connection, std::stop_token outer)
    : registry_(registry) {
  {
    std::lock_guard lock(registry_->mutex_);
    entry_ = registry_->entries_.insert(
        registry_->entries_.end(), {tenant, stream, std::move(connection), registry_->next_number_++, std::stop_source()});
  }
  forward_.emplace(std::move(outer), Forward{&entry_->stop});
}

StreamRegistry::Registration::~Registration() {
  forward_.reset();
  // Notified under the mutex: the waiter may destroy the registry as soon as it sees the entry gone.
  std::lock_guard lock(registry_->mutex_);
  registry_->entries_.erase(entry_);
  registry_->left_.notify_all();
}

template <typename Matches>
void StreamRegistry::End(const Matches& matches) {
  std::unique_lock lock(mutex_);
  for (Entry& entry : entries_) {
    if (matches(entry)) entry.stop.request_stop();
  }
  const auto was_told = [&, newcomer = next_number_](const Entry& entry) {
    return entry.number < newcomer && matches(entry);
  };
  left_.wait(lock, [&] { return std::none_of(entries_.begin(), entries_.end(), was_told); });
}

void StreamRegistry::EndTenant(TenantId tenant) {
  End([tenant](const Entry& entry) { return entry.tenant == tenant; });
}

void StreamRegistry::EndStream(StreamId stream) {
  End([stream](const Entry& entry) { return entry.stream == stream; });
}

std::optional<StreamRegistry::Connection> StreamRegistry::Find(StreamId stream) {
  std::optional<Connection> found;
  std::lock_guard lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.stream != stream) continue;
    if (!found || entry.connection.purpose == Purpose::kSubscription) found = entry.connection;
  }
  return found;
}

void StreamRegistry::EndAll() {
  End([](const Entry&) { return true; });
}

}  // namespace anabranch
