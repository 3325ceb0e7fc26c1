// The standby's end of the initial copy.
//
// Layout of `dir`: `manifest` names the copy that lies here; <family>/<name>.part grows chunk by chunk,
// <family>/<name>.journal has one CRC-32C (4 B, little endian) per finished chunk; a complete file is synced, then renamed
// to <family>/<name>, then its journal goes. A chunk enters the journal after its bytes were written, so after a crash the
// journal's chunks that still verify are kept and at most the one behind them is sent again.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/disk_error.h"
#include "base/status.h"
#include "stream/file_name.h"
#include "stream/frame.h"
#include "stream/ingestion.h"
#include "stream/source_client.h"

namespace anabranch {
namespace {

namespace fs = std::filesystem;

constexpr int kMiBShift = 20;
constexpr uint64_t kLookForRoomBytes = 64 << 20;  // after so much of one file it is looked whether the rest has room

// A descriptor opened for reading and writing, created if it is missing.
class File {
 public:
  static absl::StatusOr<File> Open(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return DiskError(errno, "opening", path);
    return File(fd, path);
  }
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  File& operator=(File&&) = delete;
  ~File() {
    if (fd_ >= 0) close(fd_);
  }

  absl::Status Write(std::string_view bytes, uint64_t offset) {
    while (!bytes.empty()) {
      const ssize_t wrote = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return DiskError(errno, "writing", path_);
      bytes.remove_prefix(static_cast<size_t>(wrote));
      offset += static_cast<uint64_t>(wrote);
    }
    return absl::OkStatus();
  }
  // As much of `size` as there is.
  absl::StatusOr<std::string> Read(uint64_t offset, size_t size) {
    std::string bytes(size, '\0');
    size_t filled = 0;
    while (filled < size) {
      const ssize_t got = pread(fd_, bytes.data() + filled, size - filled, static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return DiskError(errno, "reading", path_);
      if (got == 0) break;
      filled += static_cast<size_t>(got);
    }
    bytes.resize(filled);
    return bytes;
  }
  absl::StatusOr<uint64_t> Size() {
    const off_t size = lseek(fd_, 0, SEEK_END);
    if (size < 0) return DiskError(errno, "measuring", path_);
    return static_cast<uint64_t>(size);
  }
  absl::StatusOr<bool> Holds(const std::string& expected) {
    ASSIGN_OR_RETURN(const uint64_t size, Size());
    if (size != expected.size()) return false;
    ASSIGN_OR_RETURN(const std::string bytes, Read(0, size));
    return bytes == expected;
  }
  absl::Status Truncate(uint64_t size) {
    return ftruncate(fd_, static_cast<off_t>(size)) == 0 ? absl::OkStatus() : DiskError(errno, "truncating", path_);
  }
  absl::Status Sync() { return fsync(fd_) == 0 ? absl::OkStatus() : DiskError(errno, "syncing", path_); }

 private:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  int fd_;
  std::string path_;
};

// Shared by the connections of one copy.
class Copy {
 public:
  Copy(const std::string& uri, const ClusterId& destination, const wire::OpenResponse& stream, const std::string& dir,
       const std::function<void(const CopyProgress&)>& on_progress, int connections)
      : uri_(uri),
        destination_(destination),
        stream_(stream),
        dir_(dir),
        on_progress_(on_progress),
        connections_(std::min(connections, stream.manifest().files_size())) {}

  absl::Status Run(const std::stop_token& stop);

 private:
  absl::Status Prepare();
  absl::Status CopySome(const std::stop_token& stop);
  absl::Status CopyFile(const wire::TransferFile& file, SourceClient& client);
  absl::StatusOr<uint64_t> Keep(const wire::TransferFile& file, File& part, File& journal);
  absl::Status ReceiveFile(const wire::TransferFile& file, uint64_t offset, File& part, File& journal,
                           FrameTransport& transport);
  absl::Status CheckRoom() const;
  void Kept(uint64_t bytes, uint64_t resent);
  void Received(uint64_t bytes);

  const std::string& uri_;
  const ClusterId& destination_;
  const wire::OpenResponse& stream_;
  const std::string& dir_;
  const std::function<void(const CopyProgress&)>& on_progress_;
  const int connections_;
  std::atomic<int> next_file_{0};
  std::mutex mutex_;
  CopyProgress progress_;  // guarded by mutex_
};

std::string FamilyDir(const std::string& dir, const wire::TransferFile& file) {
  return dir + (file.family() == wire::TransferFile::DATA ? "/data" : "/changes");
}

void Copy::Kept(uint64_t bytes, uint64_t resent) {
  std::lock_guard lock(mutex_);
  progress_.bytes_done += bytes;
  progress_.bytes_kept += bytes;
  progress_.bytes_resent += resent;
  on_progress_(progress_);
}

void Copy::Received(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  progress_.bytes_done += bytes;
  on_progress_(progress_);
}

// What is there of earlier attempts needs no room any more.
absl::Status Copy::CheckRoom() const {
  uint64_t missing = 0;
  std::error_code error;
  for (const wire::TransferFile& file : stream_.manifest().files()) {
    const std::string path = FamilyDir(dir_, file) + "/" + file.name();
    uint64_t there = fs::file_size(path, error);
    if (error) there = fs::file_size(path + ".part", error);
    if (error) there = 0;
    missing += file.size() - std::min(file.size(), there);
  }
  const fs::space_info disk = fs::space(dir_, error);
  RETURN_IF_ERROR(DiskError(error, "measuring the disk of", dir_));
  if (missing == 0 || (missing <= disk.available && disk.available - missing >= kCopyLeavesBytes)) return absl::OkStatus();
  return SqlError(sqlstate::kDiskFull,
                  fmt::format("the initial copy takes {} MiB more and leaves {} MiB to others, but only {} MiB are free",
                              missing >> kMiBShift, kCopyLeavesBytes >> kMiBShift, disk.available >> kMiBShift),
                  "Make room on the disk of the store: the copy goes on by itself.");
}

// Checks what the source wants us to write before anything is written, and clears away what belongs to another copy: its
// files may have the same names and sizes.
absl::Status Copy::Prepare() {
  for (const wire::TransferFile& file : stream_.manifest().files()) {
    RETURN_IF_ERROR(CheckFileName(file.name()));
    if (file.size() == 0) return absl::DataLossError(fmt::format("the source lists file {} as empty", file.name()));
    progress_.bytes_total += file.size();
  }
  const std::string path = dir_ + "/manifest";
  const std::string manifest = stream_.manifest().SerializeAsString();
  std::error_code error;
  fs::create_directories(dir_, error);
  if (error) return DiskError(error, "creating", dir_);
  {
    ASSIGN_OR_RETURN(File known, File::Open(path));
    ASSIGN_OR_RETURN(const bool same, known.Holds(manifest));
    if (!same) {
      fs::remove_all(dir_ + "/data", error);
      if (!error) fs::remove_all(dir_ + "/changes", error);
      if (error) return DiskError(error, "clearing", dir_);
      RETURN_IF_ERROR(known.Truncate(0));
      RETURN_IF_ERROR(known.Write(manifest, 0));
      RETURN_IF_ERROR(known.Sync());
    }
  }
  for (const char* family : {"/data", "/changes"}) {
    fs::create_directories(dir_ + family, error);
    if (error) return DiskError(error, "creating", dir_ + family);
  }
  return absl::OkStatus();
}

// How much of the file an earlier attempt brought, chunk by chunk against the journal.
absl::StatusOr<uint64_t> Copy::Keep(const wire::TransferFile& file, File& part, File& journal) {
  ASSIGN_OR_RETURN(const uint64_t journal_bytes, journal.Size());
  ASSIGN_OR_RETURN(const std::string journaled, journal.Read(0, journal_bytes));
  ASSIGN_OR_RETURN(const uint64_t part_bytes, part.Size());
  std::string_view rest = journaled;
  uint64_t kept = 0;
  uint64_t chunks = 0;
  for (uint32_t crc = 0; kept < file.size() && TakeFixed32(&rest, &crc); ++chunks) {
    const uint64_t expected = std::min<uint64_t>(kFileChunkBytes, file.size() - kept);
    ASSIGN_OR_RETURN(const std::string chunk, part.Read(kept, expected));
    if (chunk.size() != expected || Crc32c(chunk) != crc) break;
    kept += expected;
  }
  RETURN_IF_ERROR(journal.Truncate(chunks * sizeof(uint32_t)));
  Kept(kept, part_bytes - std::min(part_bytes, kept));
  return kept;
}

// As long as a part of it comes now and then, the link is slow and the source lives.
absl::StatusOr<std::string> ReceiveChunk(FrameTransport& transport) {
  for (uint64_t heard = transport.heard();; heard = transport.heard()) {
    ASSIGN_OR_RETURN(std::optional<std::string> frame, transport.Receive(kRequestTimeoutMs, nullptr));
    if (frame) return *std::move(frame);
    if (transport.heard() == heard) {
      return SqlError(sqlstate::kConnectionFailure,
                      fmt::format("nothing came from the source for {} ms", kRequestTimeoutMs));
    }
  }
}

absl::Status Copy::ReceiveFile(const wire::TransferFile& file, uint64_t offset, File& part, File& journal,
                               FrameTransport& transport) {
  for (uint64_t sequence = 1;; ++sequence) {
    ASSIGN_OR_RETURN(const std::string bytes, ReceiveChunk(transport));
    ASSIGN_OR_RETURN(const wire::Frame frame, DecodeFrame(bytes));
    const wire::FileChunk& chunk = frame.file_chunk();
    const uint64_t expected = std::min<uint64_t>(kFileChunkBytes, file.size() - offset);
    if (!frame.has_file_chunk() || frame.sequence() != sequence || chunk.offset() != offset ||
        chunk.data().size() != expected) {
      return SqlError(sqlstate::kProtocolViolation,
                      fmt::format("file {} came in another order than asked for", file.name()));
    }
    RETURN_IF_ERROR(part.Write(chunk.data(), offset));
    std::string crc;
    PutFixed32(&crc, Crc32c(chunk.data()));
    RETURN_IF_ERROR(journal.Write(crc, offset / kFileChunkBytes * sizeof(uint32_t)));
    offset += expected;
    Received(expected);
    if (offset % kLookForRoomBytes == 0) RETURN_IF_ERROR(CheckRoom());
    if (chunk.last() != (offset == file.size())) {
      return absl::DataLossError(
          fmt::format("file {} of the source is not of {} bytes as listed", file.name(), file.size()));
    }
    if (chunk.last()) return absl::OkStatus();
  }
}

absl::Status Copy::CopyFile(const wire::TransferFile& file, SourceClient& client) {
  const std::string dir = FamilyDir(dir_, file);
  const std::string path = dir + "/" + file.name();
  std::error_code error;
  if (fs::exists(path, error) &&
      fs::file_size(path, error) == file.size()) {  // a file is renamed only when it is complete and synced
    Kept(file.size(), 0);
    return absl::OkStatus();
  }
  {
    ASSIGN_OR_RETURN(File part, File::Open(path + ".part"));
    ASSIGN_OR_RETURN(File journal, File::Open(path + ".journal"));
    ASSIGN_OR_RETURN(const uint64_t kept, Keep(file, part, journal));
    if (kept < file.size()) {
      wire::CopyRequest request;
      request.set_stream_id(stream_.stream_id());
      request.set_family(file.family());
      request.set_name(file.name());
      request.set_offset(kept);
      request.set_destination_cluster_id(destination_.value());
      ASSIGN_OR_RETURN(FrameTransport* const transport, client.Copy(request));
      RETURN_IF_ERROR(ReceiveFile(file, kept, part, journal, *transport));
    }
    RETURN_IF_ERROR(part.Truncate(file.size()));
    RETURN_IF_ERROR(part.Sync());
  }
  if (std::rename((path + ".part").c_str(), path.c_str()) != 0) return DiskError(errno, "renaming", path);
  fs::remove(path + ".journal", error);
  return absl::OkStatus();
}

absl::Status Copy::CopySome(const std::stop_token& stop) {
  std::unique_ptr<SourceClient> client;
  while (true) {
    const int index = next_file_++;
    if (index >= stream_.manifest().files_size()) return absl::OkStatus();
    if (stop.stop_requested()) return absl::CancelledError("the copy was stopped");
    RETURN_IF_ERROR(CheckRoom());
    if (client == nullptr) {
      ASSIGN_OR_RETURN(client, SourceClient::Connect(uri_, stop));
    }
    RETURN_IF_ERROR(CopyFile(stream_.manifest().files(index), *client));
  }
}

absl::Status Copy::Run(const std::stop_token& stop) {
  RETURN_IF_ERROR(Prepare());
  RETURN_IF_ERROR(CheckRoom());
  // The first connection that fails, ends the others.
  std::stop_source all;
  const std::stop_callback forward(stop, [&all] { all.request_stop(); });
  std::optional<absl::Status> failed;
  std::mutex mutex;  // guards failed
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < connections_; ++i) {
      threads.emplace_back([&] {
        absl::Status status = CopySome(all.get_token());
        if (status.ok()) return;
        std::lock_guard lock(mutex);
        if (!failed) failed = std::move(status);
        all.request_stop();
      });
    }
  }
  if (failed) return *failed;
  RETURN_IF_ERROR(SyncFolder(dir_ + "/data"));
  RETURN_IF_ERROR(SyncFolder(dir_ + "/changes"));
  return SyncFolder(dir_);
}

}  // namespace

absl::Status CopyFiles(const std::string& uri, const ClusterId& destination, const wire::OpenResponse& stream,
                       const std::string& dir, const std::function<void(const CopyProgress&)>& on_progress,
                       std::stop_token stop, int connections) {
  return Copy(uri, destination, stream, dir, on_progress, connections).Run(stop);
}

}  // namespace anabranch
