#include "sql/catalog/function_table.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace anabranch {

const std::vector<const ScalarFunction*>& FunctionsNamed(std::string_view name) {
  static const FunctionList kAll = [] {
    FunctionList all;
    for (const auto family : {NumberFunctions, FloatFunctions, TextFunctions, TextBuildFunctions, PatternFunctions,
                              TimeFunctions, TimeFormatFunctions, ValueFunctions, ArrayFunctions, SessionFunctions,
                              SequenceFunctions, CatalogFunctions, ObjectFunctions, PrivilegeFunctions}) {
      FunctionList functions = family();
      std::move(functions.begin(), functions.end(), std::back_inserter(all));
    }
    return all;
  }();
  static const auto kByName = [] {
    std::unordered_map<std::string_view, std::vector<const ScalarFunction*>> by_name;
    for (const ScalarFunction& function : kAll) by_name[function.name].push_back(&function);
    return by_name;
  }();
  static const std::vector<const ScalarFunction*> kNone;
  const auto found = kByName.find(name);
  return found == kByName.end() ? kNone : found->second;
}

}  // namespace anabranch
