#include "tenant/catalog/authentication_rules.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/status.h"

namespace anabranch {
namespace {

constexpr int kIpv4Bits = 32;
constexpr int kAddressBits = 128;
constexpr std::array<uint8_t, 12> kIpv4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

constexpr std::pair<std::string_view, AuthenticationRule::Transport> kTransports[] = {
    {"host", AuthenticationRule::Transport::kAny},
    {"hostssl", AuthenticationRule::Transport::kTls},
    {"hostnossl", AuthenticationRule::Transport::kPlain},
    {"local", AuthenticationRule::Transport::kLocal}};

constexpr std::pair<std::string_view, AuthenticationMethod> kMethods[] = {
    {"trust", AuthenticationMethod::kTrust},
    {"reject", AuthenticationMethod::kReject},
    {"cert", AuthenticationMethod::kCertificate},
    {"scram-sha-256", AuthenticationMethod::kScram},
    {"cert-password", AuthenticationMethod::kCertificateOrScram}};

// A word of a rule. A quoted one is never a keyword.
struct Word {
  std::string text;
  bool quoted = false;

  bool Is(std::string_view keyword) const { return !quoted && text == keyword; }
};
// The words that commas join.
using Field = std::vector<Word>;

absl::Status Wrong(std::string why) { return absl::InvalidArgumentError(std::move(why)); }

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Reads one line into fields, up to a comment.
class Tokenizer {
 public:
  explicit Tokenizer(std::string_view line) : rest_(line) {}

  absl::StatusOr<std::vector<Field>> Fields() {
    std::vector<Field> fields;
    while (Skip()) {
      Field& field = fields.emplace_back();
      do {
        ASSIGN_OR_RETURN(field.emplace_back(), NextWord());
      } while (TakeComma());
    }
    return fields;
  }

 private:
  bool Skip() {
    while (!rest_.empty() && IsSpace(rest_.front())) rest_.remove_prefix(1);
    return !rest_.empty() && rest_.front() != '#';
  }
  // Spaces may stand after a comma.
  bool TakeComma() {
    if (rest_.empty() || rest_.front() != ',') return false;
    rest_.remove_prefix(1);
    Skip();
    return true;
  }
  absl::StatusOr<Word> NextWord() {
    Word word;
    if (!rest_.empty() && rest_.front() == '"') {
      const size_t end = rest_.find('"', 1);
      if (end == std::string_view::npos) return Wrong("a quotation mark is missing");
      word = {std::string(rest_.substr(1, end - 1)), true};
      rest_.remove_prefix(end + 1);
      return word;
    }
    size_t size = 0;
    while (size < rest_.size() && !IsSpace(rest_[size]) && rest_[size] != ',' && rest_[size] != '#') ++size;
    word.text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (word.text.empty()) return Wrong("a word is missing");
    return word;
  }

  std::string_view rest_;
};

template <typename Table>
auto Find(const Table& table, const Field& field) -> std::optional<decltype(table[0].second)> {
  for (const auto& [name, value] : table) {
    if (field.size() == 1 && field[0].Is(name)) return value;
  }
  return std::nullopt;
}

std::string TextOf(const Field& field) {
  std::string text;
  for (const Word& word : field) text += (text.empty() ? "" : ",") + word.text;
  return text;
}

template <typename Table>
std::string NamesOf(const Table& table) {
  std::string names;
  for (const auto& [name, value] : table) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  return names;
}

absl::Status ReadAddress(const Field& field, AuthenticationRule* rule) {
  const std::string text = TextOf(field);
  if (field.size() == 1 && field[0].Is("all")) return absl::OkStatus();
  const size_t slash = text.find('/');
  const std::optional<NetworkAddress> network = ParseNetworkAddress(text.substr(0, slash));
  const bool ipv4 = text.find(':') == std::string::npos;
  const int bits_max = ipv4 ? kIpv4Bits : kAddressBits;
  int bits = bits_max;
  if (network && slash != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + slash + 1, end, bits);
    if (error != std::errc() || rest != end || bits < 0 || bits > bits_max) bits = -1;
  }
  if (!network || field.size() != 1 || bits < 0) {
    return Wrong(fmt::format("\"{}\" is no address; write all, 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32", text));
  }
  rule->network = *network;
  rule->prefix_bits = bits + kAddressBits - bits_max;
  return absl::OkStatus();
}

absl::StatusOr<AuthenticationRule> ReadRule(const std::vector<Field>& fields) {
  AuthenticationRule rule;
  const auto transport = Find(kTransports, fields[0]);
  if (!transport) {
    return Wrong(fmt::format("\"{}\" is no connection type; there are {}", TextOf(fields[0]), NamesOf(kTransports)));
  }
  rule.transport = *transport;
  const bool local = rule.transport == AuthenticationRule::Transport::kLocal;
  const size_t expected = local ? 4 : 5;
  if (fields.size() != expected) {
    return Wrong(fmt::format("expected {}, found {} fields",
                             local ? "local DATABASE USER METHOD" : "TYPE DATABASE USER ADDRESS METHOD", fields.size()));
  }
  if (fields[1].size() != 1 || !fields[1][0].Is("all")) {
    return Wrong(fmt::format("the database must be all, not \"{}\"", TextOf(fields[1])));
  }
  const bool everybody = std::any_of(fields[2].begin(), fields[2].end(), [](const Word& word) { return word.Is("all"); });
  for (const Word& user : fields[2]) {
    if (!user.quoted && (user.text.starts_with('+') || user.text.starts_with('@') || user.text.starts_with('/'))) {
      return Wrong(fmt::format("\"{}\": groups, files and patterns of users are not supported", user.text));
    }
    if (!everybody) rule.users.push_back(user.text);
  }
  if (!local) RETURN_IF_ERROR(ReadAddress(fields[3], &rule));
  const auto method = Find(kMethods, fields.back());
  if (!method) {
    return Wrong(fmt::format("\"{}\" is no authentication method; there are {}", TextOf(fields.back()), NamesOf(kMethods)));
  }
  rule.method = *method;
  if (rule.method == AuthenticationMethod::kCertificate && rule.transport != AuthenticationRule::Transport::kTls) {
    return Wrong("cert is for hostssl: only TLS carries a certificate");
  }
  return rule;
}

bool Contains(const AuthenticationRule& rule, const NetworkAddress& address) {
  const auto whole = static_cast<size_t>(rule.prefix_bits / 8);
  const int bits = rule.prefix_bits % 8;
  if (!std::equal(address.begin(), address.begin() + whole, rule.network.begin())) return false;
  return bits == 0 || (address[whole] ^ rule.network[whole]) >> (8 - bits) == 0;
}

bool Fits(AuthenticationRule::Transport transport, bool tls) {
  switch (transport) {
    case AuthenticationRule::Transport::kAny:
      return true;
    case AuthenticationRule::Transport::kTls:
      return tls;
    case AuthenticationRule::Transport::kPlain:
      return !tls;
    case AuthenticationRule::Transport::kLocal:
      return false;  // there are no Unix sockets
  }
  return false;
}

}  // namespace

std::optional<NetworkAddress> ParseNetworkAddress(const std::string& text) {
  NetworkAddress address = {};
  std::copy(kIpv4Prefix.begin(), kIpv4Prefix.end(), address.begin());
  if (inet_pton(AF_INET, text.c_str(), address.data() + kIpv4Prefix.size()) == 1) return address;
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

absl::StatusOr<std::vector<AuthenticationRule>> ParseAuthenticationRules(std::string_view text) {
  std::vector<AuthenticationRule> rules;
  for (int line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    absl::StatusOr<std::vector<Field>> fields = Tokenizer(text.substr(0, end)).Fields();
    text.remove_prefix(std::min(end + 1, text.size()));
    absl::Status wrong = fields.status();
    if (wrong.ok() && !fields->empty()) {
      absl::StatusOr<AuthenticationRule> rule = ReadRule(*fields);
      wrong = rule.status();
      if (rule.ok()) rules.push_back(*std::move(rule));
    }
    if (wrong.ok() && rules.size() > kAuthenticationRulesMax) {
      wrong = Wrong(fmt::format("more than {} rules", kAuthenticationRulesMax));
    }
    if (!wrong.ok()) {
      return SqlError(sqlstate::kInvalidParameterValue,
                      fmt::format("line {} of the authentication rules: {}", line, MessageOf(wrong)));
    }
  }
  return rules;
}

const AuthenticationRule* FindAuthenticationRule(const std::vector<AuthenticationRule>& rules, bool tls,
                                                 std::string_view user, const NetworkAddress& address) {
  for (const AuthenticationRule& rule : rules) {
    const bool named = rule.users.empty() || std::find(rule.users.begin(), rule.users.end(), user) != rule.users.end();
    if (named && Fits(rule.transport, tls) && Contains(rule, address)) return &rule;
  }
  return nullptr;
}

}  // namespace anabranch
