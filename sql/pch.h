// Precompiled for sql/: PostgreSQL's parse tree and the numbers, which take most of the time to compile a file here.
#pragma once

#include "base/pch.h"
#include "boost/multiprecision/cpp_int.hpp"
#include "pg_query/pg_query.pb.h"
