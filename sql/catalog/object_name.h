// Names of objects as values: 'accounts'::regclass, 'int4'::regtype, and their kind.
#pragma once

#include <optional>
#include <string>

#include "sql/catalog/object.h"

namespace anabranch {

// What a text means as a value of the type: a name as SQL writes it, a number, or - for none. nullopt: there is no such
// object. 42602 for what is no name.
absl::StatusOr<std::optional<ObjectName>> FindObject(SqlType type, const std::string& text,
                                                     const CatalogSnapshot& snapshot);
// The same, and an error if there is none.
absl::StatusOr<ObjectName> GetObject(SqlType type, const std::string& text, const CatalogSnapshot& snapshot);
// Without a name if there is no such object.
ObjectName NameObject(SqlType type, int64_t oid, const CatalogSnapshot& snapshot);

// Whether a relation's name means it without its schema.
bool IsVisible(const NamedRelation& relation);

}  // namespace anabranch
