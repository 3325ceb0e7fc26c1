#include "sql/value/memory.h"

namespace anabranch {

size_t RowBytes(const Row& row) {
  size_t bytes = sizeof(Row) + row.size() * sizeof(Datum);
  for (const Datum& datum : row) {
    if (const std::string* text = std::get_if<std::string>(&datum)) bytes += text->capacity();
    if (const Numeric* numeric = std::get_if<Numeric>(&datum)) bytes += numeric->unscaled.backend().size() * 8;
    if (const Bytes* raw = std::get_if<Bytes>(&datum)) bytes += raw->bytes.capacity();
    if (const Bpchar* padded = std::get_if<Bpchar>(&datum)) bytes += padded->text.capacity();
    if (const Jsonb* json = std::get_if<Jsonb>(&datum)) bytes += json->text.capacity();
    if (const Array* array = std::get_if<Array>(&datum)) bytes += RowBytes(array->items->values);
  }
  return bytes;
}

}  // namespace anabranch
