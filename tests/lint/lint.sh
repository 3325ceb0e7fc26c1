#!/usr/bin/env bash
# Runs one lint over the checkout: lint.sh NAME ROOT.
#
# NAME.sh defines `check FOLDER`, which prints every violation under FOLDER as "path: why" (and nothing else), and `self_test`, which shows the
# lint files that it must report (must_report) and files that it must not (must_pass). A lint that has gone blind fails here.
set -euo pipefail

name=$1
root=$(cd "$2" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The files under FOLDER whose names match the extended regular expression, relative to it: what git tracks, or all of them in a sample.
files() {
  local folder=$1 pattern=$2
  if [[ -e $folder/.git ]]; then
    git -C "$folder" ls-files | grep -E "$pattern" | while read -r file; do [[ -e $folder/$file ]] && echo "$file"; done || true
  else
    (cd "$folder" && find . -type f -printf '%P\n') | grep -E "$pattern" | sort || true
  fi
}

sample_result() {
  local path=$1 content=$2 folder
  folder=$(mktemp -d)
  mkdir -p "$folder/$(dirname "$path")"
  printf '%s\n' "$content" >"$folder/$path"
  check "$folder"
  rm -rf "$folder"
}

must_report() {
  if [[ -z $(sample_result "$1" "$2") ]]; then
    echo "lint $name is blind: it did not report $1 with: ${2:0:200}"
    exit 1
  fi
}

must_pass() {
  local reported
  reported=$(sample_result "$1" "$2")
  if [[ -n $reported ]]; then
    echo "lint $name reports what is right: $reported"
    exit 1
  fi
}

# shellcheck source=/dev/null
source "$here/$name.sh"
self_test
violations=$(check "$root")
if [[ -n $violations ]]; then
  echo "$violations"
  echo "lint $name: $(wc -l <<<"$violations") violation(s)"
  exit 1
fi
echo "lint $name: clean"
