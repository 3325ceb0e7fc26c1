#include "tests/differential/grammar.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

#include "base/check.h"

namespace anabranch {
namespace {

constexpr int kDepthMax = 3;  // beyond it only phrases without others in them, if there are
constexpr std::string_view kEmpty = "~";
constexpr std::string_view kOperands = "operands = ";
constexpr std::string_view kSeparator = " | ";

// "{a:b:kind}" at the front: its parts, the kind last. Empty: there is none.
std::vector<std::string> Reference(std::string_view text) {
  const size_t end = text.find('}');
  if (text.empty() || text.front() != '{' || end == std::string_view::npos) return {};
  std::vector<std::string> parts(1);
  for (const char c : text.substr(1, end - 1)) {
    if (c == ':') {
      parts.emplace_back();
    } else if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      parts.back() += c;
    } else {
      return {};
    }
  }
  return parts.back().empty() ? std::vector<std::string>() : parts;
}

bool HasReference(std::string_view alternative) {
  for (size_t i = 0; i < alternative.size(); ++i) {
    if (!Reference(alternative.substr(i)).empty()) return true;
  }
  return false;
}

void Append(const Phrase& phrase, Request* request) {
  if (phrase.is_parameter) {
    request->parameters.push_back(phrase.parameter);
    request->text += "$" + std::to_string(request->parameters.size());
  }
  request->text += phrase.text;
  for (const Phrase& part : phrase.parts) Append(part, request);
}

void CollectOfKind(const Phrase& phrase, const std::string& kind, std::vector<const Phrase*>* found) {
  for (const Phrase& part : phrase.parts) {
    if (part.kind == kind) found->push_back(&part);
    CollectOfKind(part, kind, found);
  }
}

Phrase Text(std::string text) {
  return {.kind = "", .text = std::move(text), .parameter = "", .is_parameter = false, .parts = {}};
}

}  // namespace

Request RequestOf(const Phrase& phrase) {
  Request request;
  Append(phrase, &request);
  return request;
}

Grammar::Grammar(const std::string& path, uint64_t seed) : engine_(seed) {
  std::ifstream file(path);
  CHECK(file.good(), "the grammar cannot be read");
  for (std::string line; std::getline(file, line);) {
    const size_t equals = line.find(" = ");
    if (line.empty() || line.front() == '#' || equals == std::string::npos) continue;
    std::string rest = line.substr(equals + std::string_view(" = ").size());
    if (line.starts_with(kOperands)) {
      std::istringstream names(rest);
      for (std::string name; names >> name;) operands_.insert(name);
      continue;
    }
    std::vector<std::string>& alternatives = kinds_[line.substr(0, equals)];
    for (size_t at; (at = rest.find(kSeparator)) != std::string::npos; rest.erase(0, at + kSeparator.size())) {
      alternatives.push_back(rest.substr(0, at));
    }
    alternatives.push_back(rest);
    for (std::string& alternative : alternatives) {
      if (alternative == kEmpty) alternative.clear();
    }
  }
}

Phrase Grammar::Make(const std::string& kind, const std::vector<std::string>& scope, int depth) {
  const auto found = kinds_.find(kind);
  CHECK(found != kinds_.end(), "a kind that the grammar does not have");
  std::vector<const std::string*> possible, flat;
  for (const std::string& alternative : found->second) {
    if (scope.empty() && alternative.find("@.") != std::string::npos) continue;
    possible.push_back(&alternative);
    if (!HasReference(alternative)) flat.push_back(&alternative);
  }
  if (depth >= kDepthMax && !flat.empty()) possible = flat;
  return Expand(kind, *possible[Pick(possible.size())], scope, depth + 1);
}

Phrase Grammar::Expand(const std::string& kind, const std::string& alternative, const std::vector<std::string>& scope,
                       int depth) {
  Phrase phrase = Text("");
  phrase.kind = kind;
  const bool operand = operands_.contains(kind) && (HasReference(alternative) || alternative.starts_with("-"));
  if (operand) phrase.parts.push_back(Text("("));
  for (size_t i = 0; i < alternative.size();) {
    const std::string_view rest = std::string_view(alternative).substr(i);
    const std::vector<std::string> reference = Reference(rest);
    if (!reference.empty()) {
      std::vector<std::string> inner = scope;
      inner.insert(inner.end(), reference.begin(), reference.end() - 1);
      phrase.parts.push_back(Make(reference.back(), inner, depth));
      i += rest.find('}') + 1;
    } else if (rest.starts_with("@.")) {
      phrase.parts.push_back(Text(scope[Pick(scope.size())]));
      ++i;
    } else if (rest.size() > 1 && rest.front() == '?' && std::isalpha(static_cast<unsigned char>(rest[1])) != 0) {
      size_t end = 1;
      while (end < rest.size() && std::isalnum(static_cast<unsigned char>(rest[end])) != 0) ++end;
      Phrase parameter = Text("");
      parameter.is_parameter = true;
      parameter.parameter = RequestOf(Make(std::string(rest.substr(1, end - 1)) + "_value", {}, depth)).text;
      phrase.parts.push_back(std::move(parameter));
      i += end;
    } else {
      phrase.parts.push_back(Text(std::string(1, rest.front())));
      ++i;
    }
  }
  if (operand) phrase.parts.push_back(Text(")"));
  return phrase;
}

Phrase Grammar::Shrink(Phrase phrase, const std::function<bool(const Phrase&)>& fails) const {
  while (ShrinkOnce(&phrase, &phrase, fails)) {
  }
  return phrase;
}

bool Grammar::ShrinkOnce(Phrase* root, Phrase* part, const std::function<bool(const Phrase&)>& fails) const {
  if (!part->kind.empty()) {
    std::vector<Phrase> smaller;
    const std::string& simplest = kinds_.at(part->kind).front();
    if (!HasReference(simplest) && simplest.find("@.") == std::string::npos && RequestOf(*part).text != simplest) {
      smaller.push_back(Text(simplest));
      smaller.back().kind = part->kind;
    }
    std::vector<const Phrase*> inner;
    CollectOfKind(*part, part->kind, &inner);
    for (const Phrase* phrase : inner) smaller.push_back(*phrase);
    for (Phrase& candidate : smaller) {
      std::swap(*part, candidate);
      if (fails(*root)) return true;
      std::swap(*part, candidate);
    }
  }
  for (Phrase& inner : part->parts) {
    if (ShrinkOnce(root, &inner, fails)) return true;
  }
  return false;
}

}  // namespace anabranch
