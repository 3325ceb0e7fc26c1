#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

#include "base/disk_error.h"
#include "base/status.h"
#include "fmt/format.h"
#include "node/commands.h"
#include "node/sql_url_file.h"

namespace anabranch {
namespace {

std::filesystem::path FileOf(const std::string& store_dir) { return std::filesystem::path(store_dir) / "sql.url"; }

}  // namespace

absl::Status WriteSqlUrl(const std::string& store_dir, const std::string& url) {
  const std::filesystem::path path = FileOf(store_dir);
  const std::filesystem::path draft = path.string() + ".new";
  {
    std::ofstream file(draft, std::ios::trunc);
    file << url << "\n" << getpid() << "\n";
    if (!file.flush()) return SqlError(sqlstate::kIoError, fmt::format("cannot write {}", draft.string()));
  }
  std::error_code error;
  std::filesystem::rename(draft, path, error);  // readers see the whole file or the one before
  return DiskError(error, "writing", path.string());
}

void RemoveSqlUrl(const std::string& store_dir) {
  std::error_code ignored;
  std::filesystem::remove(FileOf(store_dir), ignored);
}

absl::StatusOr<std::string> ReadSqlUrl(const std::string& store_dir) {
  std::ifstream file(FileOf(store_dir));
  std::string url;
  pid_t pid = 0;
  // A node that was killed leaves its file behind.
  const bool running = std::getline(file, url) && file >> pid && pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
  if (running) return url;
  return SqlError(sqlstate::kObjectNotInPrerequisiteState, fmt::format("no node is running on the store {}", store_dir),
                  fmt::format("Start one with: anabranch start-single-node --store={} --insecure", store_dir));
}

void AddSqlUrlCommand(CLI::App& app, int* exit_status) {
  CLI::App* command = app.add_subcommand("sql-url", "Print the connection string of the node that runs on a store");
  const auto store = std::make_shared<std::string>("anabranch-data");
  command->add_option("--store", *store, "Folder of the node's store")->type_name("DIR")->capture_default_str();
  command->callback([store, exit_status] {
    const absl::StatusOr<std::string> url = ReadSqlUrl(*store);
    if (url.ok()) {
      fmt::print("{}\n", *url);
    } else {
      fmt::print(stderr, "anabranch: {}. {}\n", MessageOf(url.status()), HintOf(url.status()));
    }
    *exit_status = url.ok() ? 0 : 1;
  });
}

}  // namespace anabranch
