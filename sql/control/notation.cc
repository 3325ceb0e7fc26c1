#include "sql/control/notation.h"

#include <algorithm>
#include <functional>

#include "base/check.h"

namespace anabranch {

struct SyntaxNode {
  enum class Kind { kWord, kSign, kToken, kRule, kSequence, kChoice, kOptional, kList, kRepeat };
  Kind kind = Kind::kSequence;
  std::string text = {};  // the keyword in upper case, the sign, or what messages call the class of tokens
  bool hidden = false;
  std::string_view name = {};  // of the rule
  std::string_view label = {};
  bool (*is)(const SystemToken&) = nullptr;  // kToken
  std::vector<SyntaxNodeRef> parts = {};
};

namespace {

using Kind = SyntaxNode::Kind;
using TokenKind = SystemToken::Kind;

SyntaxNodeRef Node(SyntaxNode node) { return std::make_shared<const SyntaxNode>(std::move(node)); }

bool IsAnyWord(const SystemToken& token) {
  return token.kind == TokenKind::kWord || token.kind == TokenKind::kReservedWord;
}
bool IsIdentifier(const SystemToken& token) {
  return token.kind == TokenKind::kWord || token.kind == TokenKind::kQuotedName;
}
bool IsAnyName(const SystemToken& token) { return IsAnyWord(token) || token.kind == TokenKind::kQuotedName; }
bool IsName(const SystemToken& token) { return IsIdentifier(token) || token.kind == TokenKind::kString; }
bool IsString(const SystemToken& token) { return token.kind == TokenKind::kString; }
bool IsNumber(const SystemToken& token) { return token.kind == TokenKind::kNumber; }
bool IsInteger(const SystemToken& token) {
  return IsNumber(token) &&
         std::all_of(token.value.begin(), token.value.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Reads the notation.
class Compiler {
 public:
  Compiler(std::string_view syntax, const std::map<std::string_view, SyntaxNodeRef>& rules)
      : syntax_(syntax), rules_(rules) {}

  SyntaxNodeRef Compile() {
    SyntaxNodeRef node = Sequence();
    CHECK(syntax_.empty(), "a bracket of the grammar that nothing opened");
    return node;
  }

 private:
  void SkipSpace() { syntax_.remove_prefix(std::min(syntax_.find_first_not_of(' '), syntax_.size())); }
  bool At(std::string_view sign) {
    SkipSpace();
    return syntax_.starts_with(sign);
  }
  bool Take(std::string_view sign) {
    if (!At(sign)) return false;
    syntax_.remove_prefix(sign.size());
    return true;
  }
  void Expect(std::string_view sign) { CHECK(Take(sign), "a bracket of the grammar is not closed"); }

  SyntaxNodeRef Sequence() {
    SyntaxNode sequence{.kind = Kind::kSequence};
    while (!At("]") && !At("}") && !At("|") && !syntax_.empty()) sequence.parts.push_back(Repeated());
    JoinVirtualCluster(&sequence.parts);
    return sequence.parts.size() == 1 ? sequence.parts.front() : Node(std::move(sequence));
  }

  SyntaxNodeRef Repeated() {
    SyntaxNodeRef node = Item();
    if (Take("[, ...]")) return Node({.kind = Kind::kList, .parts = {std::move(node)}});
    if (Take("...")) return Node({.kind = Kind::kRepeat, .parts = {std::move(node)}});
    return node;
  }

  SyntaxNodeRef Item() {
    if (Take("[")) {
      SyntaxNodeRef inner = Sequence();
      Expect("]");
      return Node({.kind = Kind::kOptional, .parts = {std::move(inner)}});
    }
    if (Take("{")) {
      SyntaxNode choice{.kind = Kind::kChoice};
      do choice.parts.push_back(Sequence());
      while (Take("|"));
      Expect("}");
      return Node(std::move(choice));
    }
    if (Take("'")) {
      SyntaxNodeRef sign = Sign(syntax_.substr(0, 1));
      Expect("'");
      return sign;
    }
    size_t bytes = 0;
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    while (bytes < syntax_.size() && is_letter(syntax_[bytes])) ++bytes;
    if (bytes == 0) return Sign(syntax_.substr(0, syntax_.starts_with("::") ? 2 : 1));
    const std::string_view word = syntax_.substr(0, bytes);
    syntax_.remove_prefix(bytes);
    if (word.front() < 'a') return Node({.kind = Kind::kWord, .text = std::string(word)});
    const auto rule = rules_.find(word);
    CHECK(rule != rules_.end(), "a rule of the grammar is used before it is there");
    return rule->second;
  }

  SyntaxNodeRef Sign(std::string_view sign) {
    syntax_.remove_prefix(sign.size());
    return Node({.kind = Kind::kSign, .text = std::string(sign)});
  }

  static void JoinVirtualCluster(std::vector<SyntaxNodeRef>* parts) {
    for (size_t i = 0; i + 1 < parts->size(); ++i) {
      const std::string& noun = (*parts)[i + 1]->text;
      if ((*parts)[i]->kind != Kind::kWord || (*parts)[i]->text != "VIRTUAL") continue;
      const SyntaxNodeRef both = Node({.kind = Kind::kSequence, .parts = {(*parts)[i], (*parts)[i + 1]}});
      const SyntaxNodeRef tenant =
          Node({.kind = Kind::kWord, .text = noun == "CLUSTERS" ? "TENANTS" : "TENANT", .hidden = true});
      (*parts)[i] = Node({.kind = Kind::kChoice, .parts = {both, tenant}});
      parts->erase(parts->begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }
  }

  std::string_view syntax_;
  const std::map<std::string_view, SyntaxNodeRef>& rules_;
};

}  // namespace

SyntaxRules::SyntaxRules(const std::vector<SyntaxRule>& rules) {
  const auto token = [&](std::string_view name, std::string text, bool (*is)(const SystemToken&)) {
    const SyntaxNodeRef class_of_tokens = Node({.kind = Kind::kToken, .text = std::move(text), .is = is});
    rules_[name] = Node({.kind = Kind::kRule, .name = name, .parts = {class_of_tokens}});
  };
  token("name", "a name", IsName);
  token("identifier", "a name", IsIdentifier);
  token("any_name", "a name", IsAnyName);
  token("any_word", "a word", IsAnyWord);
  token("string", "a string", IsString);
  token("number", "a number", IsNumber);
  token("integer", "a whole number", IsInteger);
  for (const SyntaxRule& rule : rules) {
    SyntaxNode node{.kind = Kind::kRule, .name = rule.name, .label = rule.label, .parts = {Compile(rule.syntax)}};
    rules_[rule.name] = Node(std::move(node));
  }
}

SyntaxNodeRef SyntaxRules::Compile(std::string_view syntax) const { return Compiler(syntax, rules_).Compile(); }

bool SyntaxMatch::Take(const SyntaxNode& syntax) { return Match(syntax); }

bool SyntaxMatch::TakeEnd() {
  const auto is_semicolon = [](const SystemToken& token) { return token.kind == TokenKind::kSymbol && token.value == ";"; };
  while (is_semicolon(tokens_[at_])) ++at_;
  return tokens_[at_].kind == TokenKind::kEnd || Fail("the end of the statement");
}

bool SyntaxMatch::Fail(std::string_view expected) {
  if (at_ < expectation_.at || at_ == 0) return false;  // most are not ours at their first word already
  if (at_ > expectation_.at) expectation_.what.clear();
  expectation_.at = at_;
  expectation_.what.emplace(!label_.empty() && label_at_ == at_ ? label_ : expected);
  return false;
}

bool SyntaxMatch::Match(const SyntaxNode& node) {
  const size_t begin = at_;
  const size_t captured = captured_.size();
  const bool matched = [&] {
    switch (node.kind) {
      case Kind::kWord:
      case Kind::kSign:
      case Kind::kToken:
        return MatchToken(node);
      case Kind::kRule:
        return MatchRule(node);
      case Kind::kSequence:
        return std::all_of(node.parts.begin(), node.parts.end(), [&](const SyntaxNodeRef& part) { return Match(*part); });
      case Kind::kChoice:
        return std::any_of(node.parts.begin(), node.parts.end(), [&](const SyntaxNodeRef& part) { return Match(*part); });
      case Kind::kOptional:
        Match(*node.parts.front());
        return true;
      case Kind::kList:
      case Kind::kRepeat:
        return MatchList(node);
    }
    return false;
  }();
  if (!matched) {
    at_ = begin;
    captured_.resize(captured);
  }
  return matched;
}

bool SyntaxMatch::MatchList(const SyntaxNode& node) {
  static const SyntaxNode kComma{.kind = Kind::kSign, .text = ","};
  if (!Match(*node.parts.front())) return false;
  while (true) {
    const size_t before = at_;
    if (node.kind == Kind::kList && !Match(kComma)) return true;
    if (!Match(*node.parts.front())) return node.kind == Kind::kRepeat;
    if (at_ == before) return true;  // it may be empty, and is
  }
}

bool SyntaxMatch::MatchRule(const SyntaxNode& node) {
  const std::string_view outer_label = label_;
  const size_t outer_at = label_at_;
  if (!node.label.empty() && (label_.empty() || label_at_ != at_)) {
    label_ = node.label;
    label_at_ = at_;
  }
  const size_t index = captured_.size();
  captured_.push_back({node.name, at_, at_});
  const bool matched = Match(*node.parts.front());
  if (matched) captured_[index].end = at_;
  label_ = outer_label;
  label_at_ = outer_at;
  return matched;
}

bool SyntaxMatch::MatchToken(const SyntaxNode& node) {
  const SystemToken& token = tokens_[at_];
  const auto is_word = [&] {
    return IsAnyWord(token) && std::equal(node.text.begin(), node.text.end(), token.value.begin(), token.value.end(),
                                          [](char a, char b) { return a == b || (a | 0x20) == b; });
  };
  const bool matched = node.kind == Kind::kWord   ? is_word()
                       : node.kind == Kind::kSign ? token.kind == TokenKind::kSymbol && token.value == node.text
                                                  : node.is(token);
  if (!matched) return node.hidden ? false : Fail(node.kind == Kind::kSign ? "\"" + node.text + "\"" : node.text);
  ++at_;
  return true;
}

std::vector<Captured> SyntaxMatch::All(std::string_view rule) const {
  std::vector<Captured> all;
  for (const Captured& captured : captured_) {
    if (captured.rule == rule) all.push_back(captured);
  }
  return all;
}

const Captured* SyntaxMatch::Find(std::string_view rule, const Captured* within) const {
  for (const Captured& captured : captured_) {
    if (captured.rule != rule) continue;
    if (within == nullptr || (captured.begin >= within->begin && captured.end <= within->end)) return &captured;
  }
  return nullptr;
}

}  // namespace anabranch
