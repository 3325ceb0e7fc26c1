#include "sql/query/ordered_path.h"

namespace anabranch {
namespace {

// Key columns with one value each do not matter for the order. Nulls are last in a key as in ascending order.
bool GivesOrder(const Table& table, int first_slot, const WantedOrder& order, const AccessPath& path) {
  const std::vector<int>& key = path.Columns(table);
  size_t next = 0;
  for (const int slot : order.slots) {
    const auto is_next = [&] { return next < key.size() && first_slot + key[next] == slot; };
    while (next < path.equal_columns && !is_next()) ++next;
    if (!is_next()) return false;
    ++next;
  }
  return true;
}

}  // namespace

bool FindOrderedPath(const Table& table, int first_slot, const std::vector<const Expression*>& conditions,
                     const WantedOrder& order, AccessPath* path) {
  const auto gives_order = [&](const AccessPath& by) { return GivesOrder(table, first_slot, order, by); };
  if (gives_order(*path)) return path->ordered = true;
  if (path->used_columns > path->equal_columns && !order.limited) return false;
  AccessPath other = PathBy(table, nullptr, conditions, first_slot);
  if (other.equal_columns >= path->equal_columns && gives_order(other)) {
    *path = other;
    return path->ordered = true;
  }
  for (const Index& index : table.indexes) {
    other = PathBy(table, &index, conditions, first_slot);
    const bool as_good = other.equal_columns >= path->equal_columns;
    // A whole table by an index means a look-up for each row: only worth it for the first few.
    if (!as_good || (other.used_columns == 0 && !order.limited) || !gives_order(other)) continue;
    *path = other;
    return path->ordered = true;
  }
  return false;
}

}  // namespace anabranch
