# shellcheck shell=bash
# Nothing is left for later inside the code: what is missing is an issue.

check() {
  local folder=$1
  (
    cd "$folder" || exit
    files "$folder" '(\.(h|cc|proto|sh|cmake|md)|^dev|CMakeLists\.txt)$' | grep -v '^tests/lint/' |
      xargs -r grep -nHwE 'TODO|FIXME|XXX|HACK' || true
  )
}

self_test() {
  must_report base/a.cc '// TODO: later'
  must_report docs/a.md 'FIXME'
  must_pass base/a.cc 'inline constexpr std::string_view kInternalError = "XX000";'
}
