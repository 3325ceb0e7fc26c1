// The grammar of our statements as their pages in docs/statements/ show it.
#pragma once

#include <string>
#include <vector>

namespace anabranch {

struct Synopsis {
  std::string page;  // "alter-virtual-cluster"
  std::string text;  // the statements that it is about, one a line, then the rules that they name
};

std::vector<Synopsis> Synopses();

}  // namespace anabranch
