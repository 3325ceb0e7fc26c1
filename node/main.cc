// The program: one binary, its subcommands (node/commands.h).
#include <iostream>

#include "CLI/CLI.hpp"
#include "node/commands.h"
#include "node/usage.h"

// Read by jemalloc as it starts: what an idle process has freed goes back to the system, too.
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true,oversize_threshold:0";

int main(int argc, char** argv) {
  CLI::App app(
      "Anabranch: virtual clusters that are streamed to a standby, failed over to any consistent moment, and failed back");
  app.name("anabranch");
  app.require_subcommand(0, 1);
  int exit_status = 0;
  anabranch::AddStartCommand(app, &exit_status);
  anabranch::AddDemoCommand(app, argv[0], &exit_status);
  anabranch::AddCertCommand(app, &exit_status);
  anabranch::AddSqlUrlCommand(app, &exit_status);
  anabranch::AddVersionCommand(app, &exit_status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // a call for help arrives as an error, too
    return anabranch::ExplainUsage(app, error);
  }
  if (app.get_subcommands().empty()) std::cout << app.help();
  return exit_status;
}
