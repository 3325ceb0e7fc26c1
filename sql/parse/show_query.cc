#include "sql/parse/show_query.h"

#include <algorithm>

#include "fmt/format.h"

namespace anabranch {
namespace {

bool Same(std::string_view word, std::string_view lower) {
  return std::equal(word.begin(), word.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

bool IsOneOf(std::string_view word, std::initializer_list<std::string_view> all) {
  return std::any_of(all.begin(), all.end(), [&](std::string_view known) { return Same(word, known); });
}

// "public . t" -> regclassin('public.t'). nullopt: not a name.
std::optional<std::string> Regclass(const std::vector<std::string_view>& words, size_t begin) {
  if (words.size() != begin + 1 && (words.size() != begin + 3 || words[begin + 1] != ".")) return std::nullopt;
  std::string quoted = "regclassin('";
  for (size_t i = begin; i < words.size(); ++i) {
    for (const char c : words[i]) quoted += c == '\'' ? "''" : std::string(1, c);
  }
  return quoted + "')";
}

}  // namespace

std::optional<std::string> ShowQuery(const std::vector<std::string_view>& words) {
  if (words.size() < 2 || !Same(words[0], "show")) return std::nullopt;
  if (words.size() == 2) {
    if (Same(words[1], "all")) {
      return "SELECT name, setting, short_desc AS description FROM pg_settings ORDER BY lower(name)";
    }
    for (const std::string_view what : {"tables", "users", "databases", "schemas"}) {
      if (Same(words[1], what)) return fmt::format("SELECT * FROM crdb_internal.show_{}", what);
    }
    return Same(words[1], "roles") ? std::optional<std::string>("SELECT * FROM crdb_internal.show_users") : std::nullopt;
  }
  if (Same(words[1], "create")) {
    const std::optional<std::string> table = Regclass(words, Same(words[2], "table") && words.size() > 3 ? 3 : 2);
    if (!table) return std::nullopt;
    return fmt::format("SELECT table_name, create_statement FROM crdb_internal.show_create WHERE table_oid = {}", *table);
  }
  if (!Same(words[2], "from")) return std::nullopt;
  const std::optional<std::string> table = Regclass(words, 3);
  if (!table) return std::nullopt;
  if (Same(words[1], "columns")) {
    return fmt::format(
        "SELECT column_name, data_type, is_nullable, column_default, generation_expression, indices, is_hidden FROM "
        "crdb_internal.show_columns WHERE table_oid = {}",
        *table);
  }
  if (IsOneOf(words[1], {"index", "indexes", "keys"})) {
    return fmt::format(
        "SELECT table_name, index_name, non_unique, seq_in_index, column_name, definition, direction, storing, implicit, "
        "visible FROM crdb_internal.show_indexes WHERE table_oid = {}",
        *table);
  }
  return std::nullopt;
}

}  // namespace anabranch
