// The source's end of the initial copy.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/disk_error.h"
#include "base/failpoint.h"
#include "base/status.h"
#include "stream/file_name.h"
#include "stream/frame.h"
#include "stream/producer.h"

namespace anabranch {
namespace {

struct CloseFile {
  explicit CloseFile(int fd) : fd(fd) {}
  ~CloseFile() { close(fd); }
  CloseFile(const CloseFile&) = delete;
  CloseFile& operator=(const CloseFile&) = delete;
  const int fd;
};

// Up to kFileChunkBytes from `offset`; less only at the end of the file.
absl::Status ReadChunk(int fd, const std::string& path, uint64_t offset, std::string* chunk) {
  chunk->resize(kFileChunkBytes);
  size_t filled = 0;
  while (filled < chunk->size()) {
    const ssize_t got = pread(fd, chunk->data() + filled, chunk->size() - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return DiskError(errno, "reading", fmt::format("{} at {}", path, offset + filled));
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  chunk->resize(filled);
  return absl::OkStatus();
}

}  // namespace

absl::Status ServeCopy(const std::string& dir, const wire::CopyRequest& request, FrameTransport& transport,
                       std::stop_token stop) {
  RETURN_IF_ERROR(CheckFileName(request.name()));
  TransferFile named;
  named.family =
      request.family() == wire::TransferFile::CHANGES ? TransferFile::Family::kChanges : TransferFile::Family::kData;
  named.name = request.name();
  const std::string path = TransferPath(dir, named);
  const CloseFile file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return DiskError(errno, "opening", path);
  const off_t size = lseek(file.fd, 0, SEEK_END);
  if (size < 0) return DiskError(errno, "measuring", path);
  if (request.offset() > static_cast<uint64_t>(size)) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("{} ends at {}, asked for {}", path, size, request.offset()));
  }

  WakeEvent wake;
  const std::stop_callback on_stop(stop, [&wake] { wake.Signal(); });
  wire::Frame frame;
  uint64_t offset = request.offset();
  while (true) {
    Failpoint("copy.chunk");
    wire::FileChunk& chunk = *frame.mutable_file_chunk();
    RETURN_IF_ERROR(ReadChunk(file.fd, path, offset, chunk.mutable_data()));
    chunk.set_offset(offset);
    offset += chunk.data().size();
    chunk.set_last(offset == static_cast<uint64_t>(size));
    if (chunk.data().empty() && !chunk.last()) return absl::DataLossError(fmt::format("{} became shorter", path));
    frame.set_sequence(frame.sequence() + 1);
    RETURN_IF_ERROR(transport.Send(EncodeFrame(frame), &wake));
    if (chunk.last()) return absl::OkStatus();
  }
}

wire::TransferManifest ToWire(const TransferManifest& manifest) {
  wire::TransferManifest out;
  out.set_comparator_name(manifest.comparator_name);
  out.set_floor(manifest.floor.ns);
  out.set_copied_from(manifest.copied_from.ns);
  out.set_copied_upto(manifest.copied_upto.ns);
  for (const TransferFile& file : manifest.files) {
    wire::TransferFile& to = *out.add_files();
    to.set_family(file.family == TransferFile::Family::kData ? wire::TransferFile::DATA : wire::TransferFile::CHANGES);
    to.set_name(file.name);
    to.set_size(file.size);
    to.set_level(file.level);
    to.set_smallest_seqno(file.smallest_seqno);
    to.set_largest_seqno(file.largest_seqno);
    to.set_smallest_key(file.smallest_key);
    to.set_largest_key(file.largest_key);
  }
  return out;
}

TransferManifest FromWire(const wire::TransferManifest& manifest) {
  TransferManifest out{.comparator_name = manifest.comparator_name(),
                       .files = {},
                       .floor = {manifest.floor()},
                       .copied_from = {manifest.copied_from()},
                       .copied_upto = {manifest.copied_upto()}};
  for (const wire::TransferFile& file : manifest.files()) {
    out.files.push_back(
        {.family = file.family() == wire::TransferFile::DATA ? TransferFile::Family::kData : TransferFile::Family::kChanges,
         .name = file.name(),
         .size = file.size(),
         .level = file.level(),
         .smallest_seqno = file.smallest_seqno(),
         .largest_seqno = file.largest_seqno(),
         .smallest_key = file.smallest_key(),
         .largest_key = file.largest_key()});
  }
  return out;
}

}  // namespace anabranch
