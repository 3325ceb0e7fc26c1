// The standby's connections to its source: libpq to the source's SQL port, system virtual cluster. URI parsing, several
// hosts, TLS and authentication are libpq's.
//
// Requests are the statements `REPLICATION_STREAM <OPEN|COPY|SUBSCRIBE|FINISH> '<hex of the request message>'`; OPEN and
// FINISH answer with one row of one text column, the hex of the response; COPY and SUBSCRIBE answer with COPY BOTH.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "stream/transport.h"
#include "stream/wire.pb.h"

namespace anabranch {

inline constexpr int kConnectTimeoutMs = 5'000;  // of each address, unless the connection string has a connect_timeout
inline constexpr uint64_t kConnectTimeoutSecondsMax = 60;
inline constexpr int kRequestTimeoutMs = 30'000;

// One connection, used by one thread. Errors of the source keep their SQLSTATE and hint; an unreachable source is 08001, a
// lost connection 08006, with no secret of the URI in the text. Every wait ends early with Cancelled when `stop` is
// requested.
class SourceClient {
 public:
  // `uri` is a PostgreSQL connection string. It reaches the source's system virtual cluster whatever options it carries
  // (options=-ccluster=system is added when it names none). 22023 if it does not parse, names no
  // host, or has a port that is none.
  static absl::StatusOr<std::unique_ptr<SourceClient>> Connect(const std::string& uri, std::stop_token stop);

  virtual ~SourceClient() = default;
  virtual absl::StatusOr<wire::OpenResponse> Open(const wire::OpenRequest& request) = 0;
  virtual absl::StatusOr<wire::FinishResponse> Finish(const wire::FinishRequest& request) = 0;
  // The transport lives inside the client and ends with it; the connection serves nothing else from then on (Subscribe), or
  // until the last chunk was received (Copy).
  virtual absl::StatusOr<FrameTransport*> Subscribe(const wire::SubscribeRequest& request) = 0;
  virtual absl::StatusOr<FrameTransport*> Copy(const wire::CopyRequest& request) = 0;
};

// The first parameter of a connection string that names a file of this node: a certificate or a key, without sslinline=true.
// nullopt: none does, or the string does not parse.
std::optional<std::string> FileParameterOf(const std::string& uri);
// 22023 for a connection string that Connect would refuse without dialling.
absl::Status CheckSourceUri(const std::string& uri);

// The URI without password and without the values of its parameters, for display and logs. What names an external
// connection, external://<name>, stays as it is.
std::string RedactUri(const std::string& uri);

}  // namespace anabranch
