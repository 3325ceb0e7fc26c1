#include "sql/parse/literal.h"

#include <utility>

namespace anabranch {
namespace {

constexpr size_t kInt4DigitsMax = 9;
constexpr size_t kInt8DigitsMax = 18;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsHigh(char c) { return static_cast<unsigned char>(c) >= 0x80; }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class Finder {
 public:
  Finder(std::string_view text, TextShape* shape) : text_(text), shape_(*shape) {}

  bool Run() {
    shape_.pattern.reserve(text_.size());
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const bool known = IsLetter(c)  ? Word()
                         : IsDigit(c) ? Number()
                         : c == '\''  ? String()
                         : c == '"'   ? QuotedName()
                                      : Symbol();
      if (!known) return false;
    }
    return true;
  }

 private:
  char Next(size_t offset = 1) const { return at_ + offset < text_.size() ? text_[at_ + offset] : '\0'; }

  void Copy(size_t end) {
    shape_.pattern.append(text_.substr(at_, end - at_));
    before_ = text_[end - 1];
    at_ = end;
  }

  bool Word() {
    size_t end = at_ + 1;
    while (end < text_.size() && (IsLetter(text_[end]) || IsDigit(text_[end]))) ++end;
    // E'...' and the like, and names with other characters in them.
    if (end < text_.size() && (text_[end] == '\'' || text_[end] == '$' || IsHigh(text_[end]))) return false;
    Copy(end);
    return true;
  }

  bool QuotedName() {
    const size_t end = text_.find('"', at_ + 1);
    if (end == std::string_view::npos) return false;
    Copy(end + 1);
    return true;
  }

  bool Number() {
    size_t end = at_;
    while (end < text_.size() && IsDigit(text_[end])) ++end;
    const size_t digits = end - at_;
    if (digits > 1 && text_[at_] == '0') return false;
    SqlType type = digits <= kInt4DigitsMax ? SqlType::kInt4 : SqlType::kInt8;
    if (end < text_.size() && text_[end] == '.') {
      type = SqlType::kNumeric;
      ++end;
      const size_t fraction = end;
      while (end < text_.size() && IsDigit(text_[end])) ++end;
      if (end == fraction) return false;
    } else if (digits > kInt8DigitsMax || (digits == kInt4DigitsMax + 1)) {
      return false;  // near the ends of the types the exact value decides
    }
    if (end < text_.size() && (IsLetter(text_[end]) || text_[end] == '.' || text_[end] == '$' || IsHigh(text_[end]))) {
      return false;
    }
    Take(end, type);
    return true;
  }

  bool String() {
    size_t end = at_ + 1;
    while (true) {
      end = text_.find('\'', end);
      if (end == std::string_view::npos) return false;
      ++end;
      if (end == text_.size() || text_[end] != '\'') break;
      ++end;
    }
    Take(end, SqlType::kUnknown);
    return true;
  }

  // A minus after an operator, a comma or a parenthesis, with a digit behind it, is the number's sign.
  bool SignsNumber() const {
    if (!IsDigit(Next())) return false;
    if (at_ > 0 && !IsSpace(text_[at_ - 1]) && text_[at_ - 1] != '(' && text_[at_ - 1] != ',') return false;
    return std::string_view("(,=<>+-*/").find(before_) != std::string_view::npos;
  }

  bool Symbol() {
    const char c = text_[at_];
    switch (c) {
      case '-':
        if (Next() == '-') return false;
        if (SignsNumber()) {
          sign_ = at_++;
          return Number();
        }
        break;
      case '/':
        if (Next() == '*') return false;
        break;
      case '.':
        if (IsDigit(Next())) return false;
        break;
      case '&':  // U&'...'
        if (Next() == '\'' || Next() == '"') return false;
        break;
      case ';':  // only at the end
        if (text_.find_first_not_of(" \t\r\n", at_ + 1) != std::string_view::npos) return false;
        at_ = text_.size();
        return true;
      case '$':
      case '[':
      case '\\':
        return false;
      default:
        if (IsHigh(c) || (static_cast<unsigned char>(c) < ' ' && !IsSpace(c))) return false;
    }
    shape_.pattern.push_back(c);
    if (!IsSpace(c)) before_ = c;
    ++at_;
    return true;
  }

  static char Mark(SqlType type) {
    switch (type) {
      case SqlType::kInt4:
        return '\1';
      case SqlType::kInt8:
        return '\2';
      case SqlType::kNumeric:
        return '\3';
      default:
        return '\4';
    }
  }

  void Take(size_t end, SqlType type) {
    const size_t begin = std::exchange(sign_, std::string_view::npos);
    shape_.literals.push_back({begin == std::string_view::npos ? at_ : begin, end, type});
    // Control characters do not come from the text, so no text looks like the pattern of another.
    shape_.pattern.push_back(Mark(type));
    before_ = '\'';
    at_ = end;
  }

  const std::string_view text_;
  TextShape& shape_;
  size_t at_ = 0;
  size_t sign_ = std::string_view::npos;  // of the number that follows
  char before_ = '(';                     // the last character that is no space
};

}  // namespace

bool FindLiterals(std::string_view text, TextShape* shape) { return Finder(text, shape).Run(); }

std::string LiteralValue(std::string_view text, const Literal& literal) {
  const std::string_view written = text.substr(literal.begin, literal.end - literal.begin);
  if (literal.type != SqlType::kUnknown) return std::string(written);
  std::string value;
  for (size_t i = 1; i + 1 < written.size(); ++i) {
    value.push_back(written[i]);
    if (written[i] == '\'') ++i;  // '' is one
  }
  return value;
}

}  // namespace anabranch
