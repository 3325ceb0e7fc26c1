// A grammar written as a manual writes its synopses, and words matched with it:
//
//   WORD          that keyword          lower_case    a rule of that name
//   [ x ]         perhaps               { x | y }     the first of them that matches
//   x [, ...]     a list by commas      x ...         one or more times
//   other signs stand for themselves, those above between quotes: '['
//
// VIRTUAL CLUSTER and VIRTUAL CLUSTERS may be written TENANT and TENANTS, as CockroachDB has it; no message says so.
// What matched is not taken back, so where two choices begin alike the longer one stands first.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sql/control/scanner.h"

namespace anabranch {

struct SyntaxRule {
  std::string_view name;
  std::string_view syntax;
  std::string_view label;  // what messages say is expected where the rule begins; empty: what it begins with
};

// Rules that every grammar has are the classes of tokens:
//   name      a word that is not reserved, "quoted" or 'quoted'    identifier   the same without 'quoted'
//   any_name  a word, also a reserved one, or "quoted"             any_word     a word, also a reserved one
//   string, number, integer
struct SyntaxNode;
using SyntaxNodeRef = std::shared_ptr<const SyntaxNode>;

// Rules by name, each made of those before it.
class SyntaxRules {
 public:
  // REQUIRES of all syntax: it is well formed. A mistake in a grammar ends the process.
  explicit SyntaxRules(const std::vector<SyntaxRule>& rules);
  SyntaxNodeRef Compile(std::string_view syntax) const;

 private:
  std::map<std::string_view, SyntaxNodeRef> rules_;
};

// The tokens [begin, end) matched that rule.
struct Captured {
  std::string_view rule;
  size_t begin = 0;
  size_t end = 0;
};

// How far the tokens could be understood, and what would have been understood there. Nothing before the first token is.
struct Expectation {
  size_t at = 0;
  std::set<std::string> what;
};

// Matches the tokens of one statement. The tokens must outlive it.
class SyntaxMatch {
 public:
  explicit SyntaxMatch(const std::vector<SystemToken>& tokens) : tokens_(tokens) {}

  // Goes on behind what matched so far. False: nothing is taken.
  bool Take(const SyntaxNode& syntax);
  bool TakeEnd();
  size_t at() const { return at_; }
  const Expectation& expectation() const { return expectation_; }

  // The rules that matched, in the order in which they begin; within another one if that is given.
  std::vector<Captured> All(std::string_view rule) const;
  const Captured* Find(std::string_view rule, const Captured* within = nullptr) const;
  bool Has(std::string_view rule) const { return Find(rule) != nullptr; }
  const std::vector<SystemToken>& tokens() const { return tokens_; }

 private:
  bool Match(const SyntaxNode& node);
  bool MatchList(const SyntaxNode& node);
  bool MatchRule(const SyntaxNode& node);
  bool MatchToken(const SyntaxNode& node);
  bool Fail(std::string_view expected);

  const std::vector<SystemToken>& tokens_;
  size_t at_ = 0;
  std::vector<Captured> captured_;
  Expectation expectation_;
  std::string_view label_;  // of the outermost labelled rule that began at label_at_
  size_t label_at_ = 0;
};

}  // namespace anabranch
