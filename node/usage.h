// What the program answers to a command line that it does not understand.
#pragma once

#include "CLI/CLI.hpp"

namespace anabranch {

inline constexpr int kExitUsage =
    2;  // the exit status after a command line that is wrong; 1 is for what failed while it ran

// Says on stderr, in one line, what is wrong: of a word that the program does not know, which one and what is near. Prints
// help where that is what was asked for. Returns the exit status. `app` has just thrown `error` from its parse.
int ExplainUsage(const CLI::App& app, const CLI::ParseError& error);

}  // namespace anabranch
