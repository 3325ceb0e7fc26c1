// The program's subcommands. Each adds itself to the command line parser; its callback runs it and sets the exit status.
#pragma once

#include "CLI/CLI.hpp"

namespace anabranch {

inline constexpr const char* kDefaultCertsDir = "anabranch-certs";

// start-single-node: runs a one-node cluster until SIGTERM or SIGINT.
void AddStartCommand(CLI::App& app, int* exit_status);
// version: build, RocksDB and its kind of build.
void AddVersionCommand(CLI::App& app, int* exit_status);
// sql-url: the connection string of a running node, from its store folder.
void AddSqlUrlCommand(CLI::App& app, int* exit_status);
// cert: makes and lists the certificates of a cluster.
void AddCertCommand(CLI::App& app, int* exit_status);
// demo: two clusters, live load, replication, failover, failback, proof of equality. Starts the program at `argv0` twice.
void AddDemoCommand(CLI::App& app, const char* argv0, int* exit_status);

}  // namespace anabranch
