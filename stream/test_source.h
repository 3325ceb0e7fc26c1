// For tests of stream/: a socket on this machine that speaks as much of the PostgreSQL protocol as a standby needs, and
// hands each REPLICATION_STREAM statement to the test.
#pragma once

#include <functional>
#include <string>

#include "base/check.h"
#include "base/coding.h"
#include "base/status.h"
#include "stream/test_connection.h"

namespace anabranch {

class TestSource {
 public:
  struct Handlers {
    std::function<absl::StatusOr<std::string>(const std::string& request)> ask;                    // OPEN, FINISH
    std::function<absl::Status(const std::string& request, FrameTransport& transport)> copy;       // COPY
    std::function<absl::Status(const std::string& request, FrameTransport& transport)> subscribe;  // SUBSCRIBE
  };

  explicit TestSource(Handlers handlers)
      : handlers_(std::move(handlers)), listener_(0, [this](TestConnection& connection) { Serve(connection); }) {}

  // Drops every connection and takes no more.
  void Kill() { listener_.Kill(); }
  std::string uri() const {
    return fmt::format("postgresql://root@127.0.0.1:{}/?sslmode=disable&gssencmode=disable", listener_.port());
  }

 private:
  void Serve(TestConnection& connection) {
    if (!connection.Start()) return;
    std::string body;
    do {
      char type = connection.Next(&body);
      while (type == 'c') type = connection.Next(&body);  // the client's end of a copy that we ended too
      if (type != 'Q') return;
      const absl::Status status = Run(connection, body);
      if (!status.ok() && !connection.PutError(status).ok()) return;
    } while (connection.Put('Z', "I").ok());
  }
  absl::Status Run(TestConnection& connection, const std::string& query) {
    const size_t quote = query.find('\'');
    std::string request;
    CHECK(FromHex(std::string_view(query).substr(quote + 1, query.rfind('\'') - quote - 1), &request), "hex");
    const std::string verb = query.substr(19, quote - 20);
    if (verb == "OPEN" || verb == "FINISH") {
      ASSIGN_OR_RETURN(const std::string response, handlers_.ask(request));
      return connection.PutRow(ToHex(response));
    }
    RETURN_IF_ERROR(connection.Put('W', std::string("\1\0\0", 3)));
    RETURN_IF_ERROR((verb == "COPY" ? handlers_.copy : handlers_.subscribe)(request, connection));
    RETURN_IF_ERROR(connection.Put('c', ""));
    return connection.Put('C', std::string("REPLICATION_STREAM\0", 19));
  }

  const Handlers handlers_;
  TestListener listener_;
};

}  // namespace anabranch
