#include "storage/testing/fault_file_system.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "storage/rocks/log_file.h"
#include "storage/testing/fault_file.h"

namespace anabranch {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;
using File = FaultFileSystem::File;

constexpr size_t kPageBytes = 4096;
constexpr uint64_t kFreeBytes = uint64_t{1} << 40;

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// "/a//b/" -> "/a/b"
std::string Normal(const std::string& path) {
  std::string normal;
  for (const char c : path) {
    if (c != '/' || normal.empty() || normal.back() != '/') normal.push_back(c);
  }
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

IOStatus NotFound(const std::string& path) { return IOStatus::PathNotFound(path, "no such file"); }

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::string path) : path(std::move(path)) {}
  const std::string path;
};

FaultFileSystem::Names CopyOf(const FaultFileSystem::Names& names, std::map<const File*, std::shared_ptr<File>>* copies) {
  FaultFileSystem::Names copy;
  for (const auto& [path, file] : names) {
    std::shared_ptr<File>& copied = (*copies)[file.get()];  // two names of one file stay so
    if (copied == nullptr) copied = std::make_shared<File>(*file);
    copy.emplace(path, copied);
  }
  return copy;
}

void NoteChange(File* file, size_t from, size_t upto) {
  const bool first = file->changed_from == file->changed_upto;
  file->changed_from = first ? from : std::min(file->changed_from, from);
  file->changed_upto = first ? upto : std::max(file->changed_upto, upto);
}

void MakeDurable(File* file) {
  file->durable.resize(file->bytes.size());
  for (size_t i = file->changed_from; i < std::min(file->changed_upto, file->bytes.size()); ++i) {
    file->durable[i] = file->bytes[i];
  }
  file->changed_from = file->changed_upto = 0;
}

// What the disk holds of a file of which some bytes were not synced.
void LoseBytes(File* file, Unsynced unsynced, std::mt19937_64& random) {
  if (file->bytes.size() < file->durable.size()) {
    const bool is_cut = unsynced == Unsynced::kKept || (unsynced != Unsynced::kLost && random() % 2 == 0);
    if (is_cut) file->durable.resize(file->bytes.size());
    if (!is_cut) file->bytes.append(file->durable, file->bytes.size());
  }
  const size_t from = file->changed_from;
  const size_t upto = std::min(file->changed_upto, file->bytes.size());
  const auto lose = [file](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) file->bytes[i] = i < file->durable.size() ? file->durable[i] : '\0';
  };
  if (unsynced == Unsynced::kLost) {
    file->bytes = file->durable;
  } else if (unsynced != Unsynced::kKept && upto > from) {
    const size_t cut = from + random() % (upto - from + 1);
    lose(cut, upto);
    file->bytes.resize(std::max(cut, file->durable.size()));
    for (size_t begin = from; unsynced == Unsynced::kHoles && begin < cut;) {
      const size_t end = std::min(cut, (begin / kPageBytes + 1) * kPageBytes);
      if (random() % 4 == 0) lose(begin, end);
      begin = end;
    }
  }
  MakeDurable(file);
}

}  // namespace

FaultFileSystem::FaultFileSystem() {
  auto root = std::make_shared<File>();
  root->is_folder = true;
  seen_.emplace("/", root);
  durable_ = seen_;
}

// ---------------------------------------------------------------- crashes and faults

void FaultFileSystem::StopAt(uint64_t points) {
  std::lock_guard lock(mutex_);
  points_until_stop_ = points;
}

bool FaultFileSystem::stopped() const {
  std::lock_guard lock(mutex_);
  return stopped_;
}

void FaultFileSystem::Crash(Unsynced unsynced, uint64_t seed) {
  std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  std::map<std::string, size_t> kept;  // folder -> how many of its changes are on disk
  std::map<std::string, size_t> made;
  for (const NameChange& change : unsynced_) ++made[change.folder];
  for (const auto& [folder, count] : made) {
    kept[folder] = unsynced == Unsynced::kLost ? 0 : unsynced == Unsynced::kKept ? count : random() % (count + 1);
  }
  for (const NameChange& change : unsynced_) {
    if (kept[change.folder]-- == 0) {
      kept[change.folder] = 0;
      continue;
    }
    Apply(change, &durable_);
  }
  // A file whose folder is not there cannot be reached.
  std::erase_if(durable_,
                [&](const auto& entry) { return entry.first != "/" && !durable_.contains(FolderOf(entry.first)); });
  std::map<const File*, std::shared_ptr<File>> copies;  // whoever still has a file open writes to the old one
  seen_ = CopyOf(durable_, &copies);
  for (const auto& [old, file] : copies) LoseBytes(file.get(), unsynced, random);
  Restart();
}

void FaultFileSystem::Restart() {
  durable_ = seen_;
  unsynced_.clear();
  locks_.clear();
  points_until_stop_ = points_until_failure_ = 0;
  stopping_ = stopped_ = full_ = false;
}

FaultFileSystem::Names FaultFileSystem::Save() const {
  std::lock_guard lock(mutex_);
  std::map<const File*, std::shared_ptr<File>> copies;
  return CopyOf(seen_, &copies);
}

void FaultFileSystem::Load(const Names& names) {
  std::lock_guard lock(mutex_);
  std::map<const File*, std::shared_ptr<File>> copies;
  seen_ = CopyOf(names, &copies);
  for (const auto& [old, file] : copies) MakeDurable(file.get());
  Restart();
}

void FaultFileSystem::FailAt(PointKind kind, std::string suffix, uint64_t points, IOStatus error) {
  std::lock_guard lock(mutex_);
  fail_kind_ = kind;
  fail_suffix_ = std::move(suffix);
  points_until_failure_ = points;
  failure_ = std::move(error);
}

void FaultFileSystem::SetFull(bool full) {
  std::lock_guard lock(mutex_);
  full_ = full;
}

void FaultFileSystem::SetCapacity(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

uint64_t FaultFileSystem::Used() const {
  std::lock_guard lock(mutex_);
  return Occupied();
}

uint64_t FaultFileSystem::Occupied() const {
  std::set<const File*> counted;  // a file may have two names
  uint64_t bytes = 0;
  for (const auto& [path, file] : seen_) {
    if (counted.insert(file.get()).second) bytes += file->bytes.size();
  }
  return bytes;
}

uint64_t FaultFileSystem::Room(uint64_t wanted) const {
  if (capacity_ == 0) return wanted;
  const uint64_t occupied = Occupied();
  return occupied < capacity_ ? std::min(wanted, capacity_ - occupied) : 0;
}

void FaultFileSystem::RefuseToAllocate() {
  std::lock_guard lock(mutex_);
  allocates_ = false;
}

IOStatus FaultFileSystem::Allocate() const {
  std::lock_guard lock(mutex_);
  return allocates_ ? IOStatus::OK() : IOStatus::IOError("operation not supported");
}

void FaultFileSystem::FlipBit(const std::string& path, uint64_t bit) {
  std::lock_guard lock(mutex_);
  File& file = *seen_.at(path);
  char& byte = file.bytes.at(bit / 8);
  byte = static_cast<char>(byte ^ (1 << (bit % 8)));
  if (bit / 8 < file.durable.size()) file.durable[bit / 8] = byte;
}

uint64_t FaultFileSystem::points() const {
  std::lock_guard lock(mutex_);
  return points_;
}

uint64_t FaultFileSystem::faults() const {
  std::lock_guard lock(mutex_);
  return faults_;
}

uint64_t FaultFileSystem::log_bytes() const {
  std::lock_guard lock(mutex_);
  return log_bytes_;
}

void FaultFileSystem::ResetCounts() {
  std::lock_guard lock(mutex_);
  points_ = faults_ = log_bytes_ = 0;
}

std::vector<std::string> FaultFileSystem::Files() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, file] : seen_) {
    if (!file->is_folder) paths.push_back(path);
  }
  return paths;
}

uint64_t FaultFileSystem::SizeOf(const std::string& path) const {
  std::lock_guard lock(mutex_);
  return seen_.at(path)->bytes.size();
}

IOStatus FaultFileSystem::Full() {
  ++faults_;
  return IOStatus::NoSpace("no space left on device");
}

IOStatus FaultFileSystem::Point(PointKind kind, const std::string& path) {
  if (stopped_) return IOStatus::IOError("the machine stopped");
  ++points_;
  if (full_ && kind == PointKind::kWrite) {
    return Full();
  }
  if (kind == fail_kind_ && path.ends_with(fail_suffix_) && points_until_failure_ > 0 && --points_until_failure_ == 0) {
    ++faults_;
    return failure_;
  }
  // The change itself still happens in memory: whether the disk has it is what Crash decides. Its caller never hears of it.
  if (points_until_stop_ > 0 && --points_until_stop_ == 0) stopping_ = true;
  return IOStatus::OK();
}

IOStatus FaultFileSystem::Done() {
  if (!stopping_) return IOStatus::OK();
  stopping_ = false;
  stopped_ = true;
  return IOStatus::IOError("the machine stopped");
}

// ---------------------------------------------------------------- files

IOStatus FaultFileSystem::Append(const std::string& path, File& file, const Slice& data) {
  std::lock_guard lock(mutex_);
  return WriteAt(path, file, file.bytes.size(), data);
}

IOStatus FaultFileSystem::Write(const std::string& path, File& file, uint64_t offset, const Slice& data) {
  std::lock_guard lock(mutex_);
  return WriteAt(path, file, offset, data);
}

IOStatus FaultFileSystem::WriteAt(const std::string& path, File& file, uint64_t offset, const Slice& data) {
  IOStatus status = Point(PointKind::kWrite, path);
  if (!status.ok()) return status;
  const size_t wanted_end = offset + data.size();
  const size_t end = file.bytes.size() + Room(wanted_end - std::min(wanted_end, file.bytes.size()));
  const std::string_view written = data.ToStringView().substr(0, end - std::min(end, offset));
  if (!written.empty()) {
    if (end > file.bytes.size()) file.bytes.resize(end);
    file.bytes.replace(offset, written.size(), written);
    NoteChange(&file, offset, offset + written.size());
  }
  const bool only_zeros = written.find_first_not_of('\0') == std::string_view::npos;
  if (IsLog(path) && !only_zeros) log_bytes_ += written.size();
  if (written.size() < data.size()) return Full();
  return Done();
}

IOStatus FaultFileSystem::Sync(const std::string& path, File& file) {
  std::lock_guard lock(mutex_);
  IOStatus status = Point(PointKind::kSync, path);
  if (!status.ok()) return status;
  if (!stopping_) MakeDurable(&file);
  return Done();
}

IOStatus FaultFileSystem::Resize(const std::string& path, File& file, uint64_t size) {
  std::lock_guard lock(mutex_);
  if (size == file.bytes.size()) return IOStatus::OK();
  IOStatus status = Point(PointKind::kWrite, path);
  const uint64_t more = size - std::min<uint64_t>(size, file.bytes.size());
  if (status.ok() && Room(more) < more) status = Full();
  if (!status.ok()) return status;
  if (more > 0) NoteChange(&file, file.bytes.size(), size);
  file.bytes.resize(size);
  return Done();
}

IOStatus FaultFileSystem::SyncFolder(const std::string& folder) {
  std::lock_guard lock(mutex_);
  IOStatus status = Point(PointKind::kSync, folder);
  if (!status.ok()) return status;
  if (!stopping_) {
    std::erase_if(unsynced_, [&](const NameChange& change) {
      if (change.folder != folder) return false;
      Apply(change, &durable_);
      return true;
    });
  }
  return Done();
}

IOStatus FaultFileSystem::ReadAt(const File& file, uint64_t offset, size_t bytes, Slice* result, char* scratch) const {
  std::lock_guard lock(mutex_);
  *result = Slice();
  if (stopped_) return IOStatus::IOError("the machine stopped");
  if (offset >= file.bytes.size()) return IOStatus::OK();
  const size_t count = std::min<size_t>(bytes, file.bytes.size() - offset);
  std::memcpy(scratch, file.bytes.data() + offset, count);
  *result = Slice(scratch, count);
  return IOStatus::OK();
}

uint64_t FaultFileSystem::Size(const File& file) const {
  std::lock_guard lock(mutex_);
  return file.bytes.size();
}

IOStatus FaultFileSystem::NewSequentialFile(const std::string& path, const FileOptions&,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* result, IODebugContext*) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<File> file = Find(path);
  if (file == nullptr || stopped_) return NotFound(path);
  *result = std::make_unique<FaultSequentialFile>(this, std::move(file));
  return IOStatus::OK();
}

IOStatus FaultFileSystem::NewRandomAccessFile(const std::string& path, const FileOptions&,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* result, IODebugContext*) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<File> file = Find(path);
  if (file == nullptr || stopped_) return NotFound(path);
  *result = std::make_unique<FaultRandomAccessFile>(this, std::move(file));
  return IOStatus::OK();
}

IOStatus FaultFileSystem::NewWritableFile(const std::string& path, const FileOptions&,
                                          std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext*) {
  std::lock_guard lock(mutex_);
  const std::string name = Normal(path);
  if (full_) return Full();
  auto file = std::make_shared<File>();
  IOStatus status = ChangeNames(FolderOf(name), {{name, file}});
  if (!status.ok()) return status;
  *result = std::make_unique<FaultWritableFile>(this, name, std::move(file));
  return IOStatus::OK();
}

IOStatus FaultFileSystem::ReopenWritableFile(const std::string& path, const FileOptions& options,
                                             std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) {
  {
    std::lock_guard lock(mutex_);
    if (std::shared_ptr<File> file = Find(path); file != nullptr) {
      *result = std::make_unique<FaultWritableFile>(this, Normal(path), std::move(file));
      return IOStatus::OK();
    }
  }
  return NewWritableFile(path, options, result, debug);
}

// ---------------------------------------------------------------- names

void FaultFileSystem::Apply(const NameChange& change, Names* names) {
  for (const auto& [path, file] : change.to) {
    if (file == nullptr) {
      names->erase(path);
    } else {
      (*names)[path] = file;
    }
  }
}

std::shared_ptr<FaultFileSystem::File> FaultFileSystem::Find(const std::string& path) const {
  const auto found = seen_.find(Normal(path));
  return found == seen_.end() ? nullptr : found->second;
}

IOStatus FaultFileSystem::ChangeNames(const std::string& folder, Names to) {
  if (Find(folder) == nullptr) return NotFound(folder);
  IOStatus status = Point(PointKind::kName, to.begin()->first);
  if (!status.ok()) return status;
  unsynced_.push_back({folder, std::move(to)});
  Apply(unsynced_.back(), &seen_);
  return Done();
}

IOStatus FaultFileSystem::NewFolder(const std::string& path) {
  auto file = std::make_shared<File>();
  file->is_folder = true;
  return ChangeNames(FolderOf(path), {{path, std::move(file)}});
}

IOStatus FaultFileSystem::NewRandomRWFile(const std::string& path, const FileOptions&,
                                          std::unique_ptr<rocksdb::FSRandomRWFile>* result, IODebugContext*) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<File> file = Find(path);
  if (file == nullptr || stopped_) return NotFound(path);
  *result = std::make_unique<FaultRandomRWFile>(this, Normal(path), std::move(file));
  return IOStatus::OK();
}

IOStatus FaultFileSystem::NewDirectory(const std::string& path, const IOOptions&,
                                       std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) {
  std::lock_guard lock(mutex_);
  if (Find(path) == nullptr || stopped_) return NotFound(path);
  *result = std::make_unique<FaultFolder>(this, Normal(path));
  return IOStatus::OK();
}

IOStatus FaultFileSystem::FileExists(const std::string& path, const IOOptions&, IODebugContext*) {
  std::lock_guard lock(mutex_);
  return Find(path) == nullptr ? IOStatus::NotFound() : IOStatus::OK();
}

IOStatus FaultFileSystem::GetChildren(const std::string& folder, const IOOptions&, std::vector<std::string>* result,
                                      IODebugContext*) {
  std::lock_guard lock(mutex_);
  result->clear();
  const std::string name = Normal(folder);
  if (Find(name) == nullptr || stopped_) return IOStatus::NotFound(folder);
  const std::string prefix = name == "/" ? name : name + "/";
  for (auto it = seen_.lower_bound(prefix); it != seen_.end() && it->first.starts_with(prefix); ++it) {
    const std::string rest = it->first.substr(prefix.size());
    if (!rest.empty() && rest.find('/') == std::string::npos) result->push_back(rest);
  }
  return IOStatus::OK();
}

IOStatus FaultFileSystem::DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) {
  std::lock_guard lock(mutex_);
  const std::string name = Normal(path);
  if (Find(name) == nullptr) return NotFound(path);
  return ChangeNames(FolderOf(name), {{name, nullptr}});
}

IOStatus FaultFileSystem::CreateDir(const std::string& path, const IOOptions&, IODebugContext*) {
  std::lock_guard lock(mutex_);
  if (Find(path) != nullptr) return IOStatus::IOError(path, "it exists");
  return NewFolder(Normal(path));
}

IOStatus FaultFileSystem::CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) {
  std::lock_guard lock(mutex_);
  return Find(path) != nullptr ? IOStatus::OK() : NewFolder(Normal(path));
}

IOStatus FaultFileSystem::DeleteDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  std::vector<std::string> children;
  IOStatus status = GetChildren(path, options, &children, debug);
  if (!status.ok()) return status;
  if (!children.empty()) return IOStatus::IOError(path, "folder is not empty");
  return DeleteFile(path, options, debug);
}

IOStatus FaultFileSystem::GetFileSize(const std::string& path, const IOOptions&, uint64_t* size, IODebugContext*) {
  std::lock_guard lock(mutex_);
  const std::shared_ptr<File> file = Find(path);
  if (file == nullptr) return NotFound(path);
  *size = file->bytes.size();
  return IOStatus::OK();
}

IOStatus FaultFileSystem::GetFileModificationTime(const std::string& path, const IOOptions&, uint64_t* time,
                                                  IODebugContext*) {
  std::lock_guard lock(mutex_);
  *time = 0;
  return Find(path) == nullptr ? NotFound(path) : IOStatus::OK();
}

IOStatus FaultFileSystem::RenameFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) {
  std::lock_guard lock(mutex_);
  const std::string source = Normal(from);
  const std::string target = Normal(to);
  std::shared_ptr<File> file = Find(source);
  if (file == nullptr) return NotFound(from);
  if (file->is_folder) return RenameFolder(source, target);
  return ChangeNames(FolderOf(target), {{source, nullptr}, {target, std::move(file)}});
}

// The folder takes along what is in it, and what is not synced in it stays so: such changes are told again under the new
// name.
IOStatus FaultFileSystem::RenameFolder(const std::string& from, const std::string& to) {
  const auto renamed = [&](const std::string& path) { return to + path.substr(from.size()); };
  const auto inside = [&](const std::string& path) { return path == from || path.starts_with(from + "/"); };
  Names moved;
  Names seen;
  for (const auto& [path, file] : durable_) {
    if (inside(path)) moved.insert({{path, nullptr}, {renamed(path), file}});
  }
  for (const auto& [path, file] : seen_) {
    if (inside(path)) seen.insert({{path, nullptr}, {renamed(path), file}});
  }
  moved.insert({{from, nullptr}, {to, Find(from)}});
  for (NameChange& change : unsynced_) {
    if (!inside(change.folder)) continue;
    change.folder = renamed(change.folder);
    Names to_renamed;
    for (auto& [path, file] : change.to) to_renamed.emplace(inside(path) ? renamed(path) : path, file);
    change.to = std::move(to_renamed);
  }
  const IOStatus status = ChangeNames(FolderOf(to), std::move(moved));
  Apply({FolderOf(to), std::move(seen)}, &seen_);
  return status;
}

IOStatus FaultFileSystem::LinkFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) {
  std::lock_guard lock(mutex_);
  const std::string target = Normal(to);
  std::shared_ptr<File> file = Find(from);
  if (file == nullptr) return NotFound(from);
  if (Find(target) != nullptr) return IOStatus::IOError(target, "it exists");
  return ChangeNames(FolderOf(target), {{target, std::move(file)}});
}

IOStatus FaultFileSystem::LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock, IODebugContext*) {
  std::lock_guard guard(mutex_);
  if (!locks_.insert(Normal(path)).second) return IOStatus::IOError(path, "it is locked");
  *lock = new Lock(Normal(path));
  return IOStatus::OK();
}

IOStatus FaultFileSystem::UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) {
  const std::unique_ptr<Lock> held(static_cast<Lock*>(lock));
  std::lock_guard guard(mutex_);
  locks_.erase(held->path);
  return IOStatus::OK();
}

IOStatus FaultFileSystem::GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) {
  *path = "/";
  return IOStatus::OK();
}

IOStatus FaultFileSystem::GetAbsolutePath(const std::string& path, const IOOptions&, std::string* absolute,
                                          IODebugContext*) {
  *absolute = Normal(path);
  return IOStatus::OK();
}

IOStatus FaultFileSystem::IsDirectory(const std::string& path, const IOOptions&, bool* is_folder, IODebugContext*) {
  std::lock_guard lock(mutex_);
  const std::shared_ptr<File> file = Find(path);
  if (file == nullptr) return NotFound(path);
  *is_folder = file->is_folder;
  return IOStatus::OK();
}

IOStatus FaultFileSystem::GetFreeSpace(const std::string&, const IOOptions&, uint64_t* bytes, IODebugContext*) {
  std::lock_guard lock(mutex_);
  const uint64_t occupied = Occupied();
  *bytes = full_ ? 0 : capacity_ == 0 ? kFreeBytes : occupied < capacity_ ? capacity_ - occupied : 0;
  return IOStatus::OK();
}

}  // namespace anabranch
