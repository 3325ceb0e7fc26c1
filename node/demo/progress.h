// What the demo prints: stages with the time that went by, one live line that is rewritten on a terminal, checks, and the
// summary table.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "node/demo/wait.h"

namespace anabranch {

// Used by one thread.
class Progress {
 public:
  Progress();

  void Stage(const std::string& title);
  void Note(const std::string& text);
  // Rewrites the live line; elsewhere than on a terminal a plain line about once a second.
  void Live(const std::string& text);
  // Remembers whether every check held.
  void Check(bool held, const std::string& what);
  void Summary(const std::vector<std::pair<std::string, std::string>>& rows);

  bool all_held() const { return all_held_; }
  double Seconds() const { return since_start_.Seconds(); }

 private:
  void EndLive();

  const bool terminal_;
  const Stopwatch since_start_;
  double last_plain_s_ = -1;
  bool live_ = false;
  bool all_held_ = true;
};

}  // namespace anabranch
