#!/usr/bin/env bash
# The program's command line: what it prints, where, and its exit status. command_line.sh PROGRAM.
set -euo pipefail

program=$1
failures=0

# expect STATUS STREAM TEXT [ARGUMENT...]: `anabranch ARGUMENT...` ends with STATUS and prints TEXT on STREAM (out or err), and nothing on the other.
expect() {
  local status=$1 stream=$2 text=$3 got=0 out err shown other
  shift 3
  err=$(mktemp)
  out=$("$program" "$@" 2>"$err" </dev/null) || got=$?
  shown=$out other=$(<"$err")
  [[ $stream == out ]] || shown=$other other=$out
  rm -f "$err"
  [[ $got -eq $status && $shown == *"$text"* && -z $other ]] && return
  printf 'anabranch %s\n  wanted: %s on std%s: %s\n  got: %s: %s%s\n' "$*" "$status" "$stream" "$text" "$got" "$shown" "$other"
  failures=$((failures + 1))
}

expect 0 out 'start-single-node'
expect 0 out 'start-single-node' --help
expect 0 out '--listen-addr' start-single-node --help
expect 2 err 'anabranch: unknown command "frob": the commands are start-single-node, demo, cert, sql-url, version' frob
expect 2 err 'anabranch: unknown command "dmeo": did you mean "demo"?' dmeo
expect 2 err 'anabranch: unknown command "start": did you mean "start-single-node"?' start
expect 2 err 'anabranch: unknown command "frob"' frob demo
expect 2 err 'anabranch: anabranch has no flag "--version": did you mean "version"?' --version
expect 2 err 'anabranch: start-single-node has no flag "--lisen-addr": did you mean "--listen-addr"?' start-single-node --lisen-addr=:0
expect 2 err 'anabranch: sql-url has no flag "--frob": see anabranch sql-url --help' sql-url --frob 1
expect 2 err 'anabranch: version takes no argument "frob": see anabranch version --help' version frob
expect 2 err 'anabranch: --store' sql-url --store
expect 1 err 'anabranch: no node is running on the store /nonexistent' sql-url --store=/nonexistent
expect 2 err 'anabranch: A subcommand is required' cert
expect 2 err 'anabranch: HOST is required' cert create-node
expect 1 err 'anabranch: there are no certificates in /nonexistent. anabranch cert create-ca' cert list --certs-dir=/nonexistent
expect 1 err 'anabranch: cannot read /nonexistent/ca.crt' cert create-client joe --certs-dir=/nonexistent

exit $((failures > 0))
