// Reading PostgreSQL's parse tree, and refusing what is in it and is not supported.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "pg_query/pg_query.pb.h"
#include "sql/value/error_field.h"
#include "sql/value/type_name.h"

namespace anabranch {

// 0A000 naming the first thing in the tree that nothing below the parser looks at. What is not on the list of what we
// understand is refused, so a clause can never be silently ignored. Done once per parsed statement. `text` names a
// statement as a whole.
absl::Status RefuseUnsupported(const pg_query::Node& statement, std::string_view text);

inline const std::string& StringOf(const pg_query::Node& node) { return node.string().sval(); }

// Where a node says it is in the text that was parsed; -1: it does not say.
int LocationOf(const pg_query::Node& node);

// The table a statement names, in the one schema there is.
absl::StatusOr<std::string> RelationName(const pg_query::RangeVar& relation);

// Whether PostgreSQL keeps what the schema holds, and not the user.
bool IsCatalogSchema(std::string_view schema);

// 0A000 for a type that PostgreSQL has and we have not, 42704 for what is none.
absl::StatusOr<ColumnType> ResolveType(const pg_query::TypeName& name);

}  // namespace anabranch
