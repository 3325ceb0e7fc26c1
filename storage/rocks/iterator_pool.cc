#include "storage/rocks/iterator_pool.h"

#include <utility>

namespace anabranch {

std::unique_ptr<rocksdb::Iterator> IteratorPool::Take(uint32_t family, uint64_t* generation) {
  std::unique_ptr<rocksdb::Iterator> taken;
  {
    std::lock_guard lock(mutex_);
    *generation = generation_;
    auto& iterators = at_rest_[family];
    if (iterators.empty()) return nullptr;
    taken = std::move(iterators.back());
    iterators.pop_back();
  }
  if (!taken->Refresh().ok()) return nullptr;
  return taken;
}

void IteratorPool::Give(uint32_t family, std::unique_ptr<rocksdb::Iterator> iterator, uint64_t generation) {
  if (iterator == nullptr || !iterator->status().ok()) return;
  std::lock_guard lock(mutex_);
  auto& iterators = at_rest_[family];
  if (generation == generation_ && iterators.size() < kAtRestMax) iterators.push_back(std::move(iterator));
}

// What goes is destroyed after the lock is given back.
void IteratorPool::Drop(uint32_t family) {
  std::vector<std::unique_ptr<rocksdb::Iterator>> old;
  std::lock_guard lock(mutex_);
  ++generation_;
  if (auto found = at_rest_.extract(family)) old = std::move(found.mapped());
}

void IteratorPool::Clear() {
  std::map<uint32_t, std::vector<std::unique_ptr<rocksdb::Iterator>>> old;
  std::lock_guard lock(mutex_);
  ++generation_;
  old.swap(at_rest_);
}

void IteratorPool::OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& job) { Drop(job.cf_id); }

void IteratorPool::OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& job) { Drop(job.cf_id); }

}  // namespace anabranch
