// The families of functions that need no catalog, and what the bodies of all functions share. Included by the files of
// functions only; who looks for one uses sql/catalog/function_table.h.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/expression/expression.h"
#include "sql/value/utf8.h"

namespace anabranch {

using FunctionList = std::vector<ScalarFunction>;
using FunctionResult = absl::StatusOr<Datum>;

FunctionList NumberFunctions();      // + - * / %, rounding, bits
FunctionList FloatFunctions();       // power, logarithms, trigonometry
FunctionList TextFunctions();        // length, substring, trim, ||
FunctionList TextBuildFunctions();   // format, concat, quote, encode, digests
FunctionList PatternFunctions();     // LIKE, regular expressions
FunctionList TimeFunctions();        // now, arithmetic and fields of dates
FunctionList TimeFormatFunctions();  // to_char, to_date
FunctionList ValueFunctions();       // uuid, json
FunctionList ArrayFunctions();       // length, items, joining
FunctionList SessionFunctions();     // version, current_user
FunctionList SequenceFunctions();    // nextval

inline int64_t IntOf(const Datum& datum) { return std::get<int64_t>(datum); }
inline double DoubleOf(const Datum& datum) { return std::get<double>(datum); }
inline const std::string& TextOf(const Datum& datum) { return std::get<std::string>(datum); }
inline const Numeric& NumericOf(const Datum& datum) { return std::get<Numeric>(datum); }
inline const std::vector<Datum>& ItemsOf(const Datum& datum) { return std::get<Array>(datum).items->values; }

inline absl::Status DivisionByZero() { return SqlError(sqlstate::kDivisionByZero, "division by zero"); }
absl::Status ResultTooLong(std::string_view function);  // 54000

}  // namespace anabranch
