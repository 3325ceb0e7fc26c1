#include "node/health.h"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <thread>

#include "base/status.h"

namespace anabranch {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr auto kAcceptPause =
    std::chrono::milliseconds(100);  // after an accept error: asking again at once would only spin

http::response<http::string_body> Answer(const http::request<http::string_body>& request, const std::string& health_json) {
  const bool health = request.target() == "/health";
  const bool readable = request.method() == http::verb::get || request.method() == http::verb::head;
  const http::status status = !health    ? http::status::not_found
                              : readable ? http::status::ok
                                         : http::status::method_not_allowed;
  http::response<http::string_body> response(status, request.version());
  response.set(http::field::content_type, "application/json");
  response.set(http::field::cache_control, "no-store");
  response.keep_alive(false);
  response.body() = status == http::status::ok ? health_json : "{\"error\":\"not found\"}\n";
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  return response;
}

class BeastServer : public HttpServer {
 public:
  ~BeastServer() override {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Bind(const std::string& host, uint16_t port) {
    boost::system::error_code error;
    tcp::resolver resolver(context_);
    const auto found = resolver.resolve(host.empty() ? "0.0.0.0" : host, std::to_string(port),
                                        tcp::resolver::passive | tcp::resolver::numeric_service, error);
    const auto refused = [&] {
      if (error == asio::error::address_in_use) {
        return SqlError(sqlstate::kObjectInUse,
                        fmt::format("port {} on {} is in use: stop the process that listens there, or give "
                                    "another --http-addr (port 0 picks a free one)",
                                    port, host));
      }
      return SqlError(sqlstate::kInvalidParameterValue,
                      fmt::format("cannot listen on the HTTP address {}:{}: {}", host, port, error.message()));
    };
    if (error || found.empty()) return refused();
    const tcp::endpoint endpoint = found.begin()->endpoint();
    if (acceptor_.open(endpoint.protocol(), error)) return refused();
    acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (acceptor_.bind(endpoint, error) || acceptor_.listen(kHttpConnectionsMax, error)) return refused();
    port_ = acceptor_.local_endpoint(error).port();
    return absl::OkStatus();
  }

  uint16_t port() const override { return port_; }

  void Serve(std::string health_json, const TlsCredentials* credentials) override {
    health_json_ = std::move(health_json);
    credentials_ = credentials;
    asio::co_spawn(context_, AcceptLoop(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }

 private:
  using StreamRef = std::shared_ptr<beast::tcp_stream>;

  asio::awaitable<void> AcceptLoop() {
    while (true) {
      boost::system::error_code error;
      tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error) {
        asio::steady_timer pause(context_, kAcceptPause);
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      } else {
        MakeRoom();
        const auto place = streams_.insert(streams_.end(), std::make_shared<beast::tcp_stream>(std::move(socket)));
        asio::co_spawn(context_, credentials_ == nullptr ? ServePlain(*place) : ServeTls(*place),
                       [this, place](std::exception_ptr) { streams_.erase(place); });
      }
    }
  }

  // So silent clients lock nobody out. What is closed leaves the list when its coroutine finds out.
  void MakeRoom() {
    const auto is_open = [](const StreamRef& stream) { return stream->socket().is_open(); };
    if (std::count_if(streams_.begin(), streams_.end(), is_open) < kHttpConnectionsMax) return;
    std::find_if(streams_.begin(), streams_.end(), is_open)->get()->close();
  }

  asio::awaitable<void> ServePlain(StreamRef stream) {
    stream->expires_after(std::chrono::seconds(kHttpTimeoutSeconds));
    co_await ServeOne(*stream);
    boost::system::error_code error;
    stream->socket().shutdown(tcp::socket::shutdown_send, error);
  }

  asio::awaitable<void> ServeTls(StreamRef tcp_stream) {
    const std::shared_ptr<const TlsIdentity> identity = credentials_->current();
    SSL_CTX_up_ref(identity->http.get());
    asio::ssl::context context(identity->http.get());
    asio::ssl::stream<beast::tcp_stream&> stream(*tcp_stream, context);
    beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(kHttpTimeoutSeconds));
    boost::system::error_code error;
    co_await stream.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    co_await ServeOne(stream);
    co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, error));
  }

  template <typename Stream>
  asio::awaitable<void> ServeOne(Stream& stream) {
    beast::flat_buffer buffer(8 << 10);
    http::request_parser<http::string_body> parser;
    parser.body_limit(kHttpBodyBytesMax);
    boost::system::error_code error;
    co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    http::response<http::string_body> response = Answer(parser.get(), health_json_);
    co_await http::async_write(stream, response, asio::redirect_error(asio::use_awaitable, error));
  }

  asio::io_context context_{1};
  tcp::acceptor acceptor_{context_};
  uint16_t port_ = 0;
  std::string health_json_;
  const TlsCredentials* credentials_ = nullptr;
  std::list<StreamRef> streams_;  // the oldest first; used by thread_
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Listen(const std::string& host, uint16_t port) {
  auto server = std::make_unique<BeastServer>();
  RETURN_IF_ERROR(server->Bind(host, port));
  return server;
}

}  // namespace anabranch
