// sslinline=true in a connection string: sslrootcert, sslcert and sslkey are PEM texts, not names of files. libpq reads
// files, so the texts stand in files that have no name in any folder, only for this process, as long as the connection lives.
// Internal to stream/.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace anabranch {

inline constexpr const char* kSslInline = "sslinline";

// Whether the query part of the URI asks for it; takes that parameter, which libpq does not know, out of *uri.
bool TakeSslInline(std::string* uri);

class InlineCredentials {
 public:
  InlineCredentials() = default;
  ~InlineCredentials();
  InlineCredentials(const InlineCredentials&) = delete;
  InlineCredentials& operator=(const InlineCredentials&) = delete;

  // If the parameters ask for it, puts the names of files that hold them in the place of the texts.
  absl::Status Materialize(std::map<std::string, std::string>* parameters);

 private:
  std::vector<int> files_;
};

}  // namespace anabranch
