// Random statements from a grammar (statements.grammar says how it is written), and smaller ones like them.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace anabranch {

// A phrase of a kind: text, and phrases in it.
struct Phrase {
  std::string kind;       // "" for text
  std::string text;       // of a leaf
  std::string parameter;  // not a leaf's: the value of a parameter
  bool is_parameter = false;
  std::vector<Phrase> parts;
};

// What a client sends.
struct Request {
  std::string text;
  std::vector<std::string> parameters;
};
Request RequestOf(const Phrase& phrase);

class Grammar {
 public:
  // Aborts on a kind that is used and not there.
  Grammar(const std::string& path, uint64_t seed);

  Phrase Make(const std::string& kind) { return Make(kind, {}, 0); }
  uint64_t Pick(uint64_t count) { return engine_() % count; }

  // The smallest phrase for which `fails` still holds: parts become their simplest form, or one of their own parts.
  Phrase Shrink(Phrase phrase, const std::function<bool(const Phrase&)>& fails) const;

 private:
  Phrase Make(const std::string& kind, const std::vector<std::string>& scope, int depth);
  Phrase Expand(const std::string& kind, const std::string& alternative, const std::vector<std::string>& scope, int depth);
  bool ShrinkOnce(Phrase* root, Phrase* part, const std::function<bool(const Phrase&)>& fails) const;

  std::map<std::string, std::vector<std::string>> kinds_;
  std::set<std::string> operands_;  // kinds whose phrases are put in parentheses
  std::mt19937_64 engine_;
};

}  // namespace anabranch
