# shellcheck shell=bash
# Shell scripts parse, and stop at the first error.

check() {
  local folder=$1 file
  files "$folder" '(\.sh$|^dev$|^\.ci/run$)' | while read -r file; do
    bash -n "$folder/$file" 2>/dev/null || echo "$file: does not parse"
    # What is sourced follows its caller.
    [[ $file == tests/lint/* && $file != tests/lint/lint.sh ]] || grep -q '^set -euo pipefail$' "$folder/$file" ||
      echo "$file: wants set -euo pipefail"
  done
}

self_test() {
  must_report dev 'if then'
  must_report dev 'echo hello'
  must_pass dev 'set -euo pipefail'
}
