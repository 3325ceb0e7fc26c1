# shellcheck shell=bash
# shellcheck disable=SC2154
# Every C++ file is as clang-format leaves it.

check() {
  local folder=$1
  (
    cd "$folder" || exit
    [[ -e .clang-format ]] || cp "$root/.clang-format" .clang-format
    files "$folder" '\.(h|cc)$' | xargs -r clang-format --dry-run -Werror 2>&1 |
      sed -nE 's/^([^: ]+):([0-9]+):[0-9]+: error:.*/\1:\2: not as clang-format leaves it (.\/dev fmt)/p' | sort -u -t: -k1,1 || true
  )
}

self_test() {
  must_report base/a.cc 'int  main( ){return 0 ;}'
  must_pass base/a.cc 'int main() { return 0; }'
}
