// Precompiled for the rooms of sql/ that read PostgreSQL's parse tree, which takes most of the time to compile a file
// there.
#pragma once

#include "pg_query/pg_query.pb.h"
#include "sql/value/pch.h"
