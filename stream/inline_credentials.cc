#include "stream/inline_credentials.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "base/disk_error.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

constexpr mode_t kOwnerOnly = 0600;  // libpq refuses a key that others may read

}  // namespace

bool TakeSslInline(std::string* uri) {
  constexpr std::string_view kParameter = "sslinline=";
  const size_t query = uri->find('?');
  if (query == std::string::npos) return false;
  for (size_t at = query + 1; at < uri->size();) {
    const size_t end = std::min(uri->find('&', at), uri->size());
    if (std::string_view(*uri).substr(at, kParameter.size()) != kParameter) {
      at = end + 1;
      continue;
    }
    const bool on = uri->substr(at + kParameter.size(), end - at - kParameter.size()) == "true";
    // With the '&' before it, or, if it is the first, the one after it.
    if (at > query + 1) {
      uri->erase(at - 1, end - at + 1);
    } else {
      uri->erase(at, end - at + (end < uri->size() ? 1 : 0));
    }
    return on;
  }
  return false;
}

InlineCredentials::~InlineCredentials() {
  for (const int file : files_) close(file);
}

absl::Status InlineCredentials::Materialize(std::map<std::string, std::string>* parameters) {
  if (parameters->erase(kSslInline) == 0) return absl::OkStatus();
  for (const char* name : {"sslrootcert", "sslcert", "sslkey"}) {
    const auto found = parameters->find(name);
    if (found == parameters->end()) continue;
    const int file = memfd_create(name, MFD_CLOEXEC);
    if (file < 0) return DiskError(errno, "making", name);
    files_.push_back(file);
    const std::string& text = found->second;
    if (fchmod(file, kOwnerOnly) != 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      return DiskError(errno, "writing", name);
    }
    found->second = fmt::format("/proc/self/fd/{}", file);
  }
  return absl::OkStatus();
}

}  // namespace anabranch
