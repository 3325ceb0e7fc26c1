// SHOW TABLES, COLUMNS, INDEXES, CREATE TABLE, USERS, DATABASES, SCHEMAS, as CockroachDB has them, and SHOW ALL: each is a
// query on a relation of the catalog, made by the text before PostgreSQL's grammar sees it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace anabranch {

// The query that a statement of these words stands for; nullopt: it is none of them.
std::optional<std::string> ShowQuery(const std::vector<std::string_view>& words);

}  // namespace anabranch
