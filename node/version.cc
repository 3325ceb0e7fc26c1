#include <cstdio>

#include "fmt/format.h"
#include "node/commands.h"

namespace anabranch {

void AddVersionCommand(CLI::App& app, int* exit_status) {
  CLI::App* command = app.add_subcommand(
      "version", "Print the versions of this program and of its storage engine, and how they were built");
  command->callback([exit_status] {
    fmt::print("anabranch {} ({}), RocksDB {} ({})\n", ANABRANCH_VERSION, ANABRANCH_BUILD_TYPE, ANABRANCH_ROCKSDB_VERSION,
               ANABRANCH_ROCKSDB_BUILD);
    *exit_status = 0;
  });
}

}  // namespace anabranch
