// Precompiled for the rooms of sql/ that do not read the parse tree: the numbers, which every value is made with.
#pragma once

#include "base/pch.h"
#include "boost/multiprecision/cpp_int.hpp"
