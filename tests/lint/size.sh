# shellcheck shell=bash
# shellcheck disable=SC2154
# A ratchet: no file over 800 lines, except those listed in size_allowlist as "path lines", which may only shrink.

allowed() {
  awk -v path="$1" '$1 == path { print $2 }' "$here/size_allowlist"
}

check() {
  local folder=$1 file lines limit
  files "$folder" '(\.(h|cc|proto|sh|cmake)|^dev|CMakeLists\.txt)$' | while read -r file; do
    lines=$(wc -l <"$folder/$file")
    limit=$(allowed "$file")
    ((lines <= ${limit:-800})) || echo "$file: $lines lines, ${limit:-800} allowed"
  done
}

self_test() {
  must_report base/a.cc "$(seq 801)"
  must_pass base/a.cc "$(seq 800)"
}
