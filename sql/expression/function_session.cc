// The statement and its session.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/stop.h"
#include "sql/expression/function_family.h"
#include "sql/stored/session_context.h"
#include "sql/value/settings.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

Result LogicalTime(const Datum*, const Context& context) { return Datum(HlcNumeric(context.snapshot)); }
Result VersionText(const Datum*, const Context&) { return Datum(std::string(kVersionText)); }
Result CurrentDatabase(const Datum*, const Context&) { return Datum(std::string(kDatabaseName)); }
Result CurrentUser(const Datum*, const Context& context) { return Datum(context.session->user); }
Result CurrentSchema(const Datum*, const Context&) { return Datum(std::string("public")); }
Result BackendPid(const Datum*, const Context& context) { return Datum(int64_t{context.session->process_id}); }
Result IsInRecovery(const Datum*, const Context& context) {
  return Datum(context.session->transaction.follows.has_value());
}
Result CurrentSetting(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(std::string value, context.settings->Get(TextOf(a[0])));
  return Datum(std::move(value));
}
// null for an unknown one, if the second argument says so.
Result CurrentSettingOrNull(const Datum* a, const Context& context) {
  Result value = CurrentSetting(a, context);
  if (!value.ok() && std::get<bool>(a[1]) && SqlStateOf(value.status()) == sqlstate::kUndefinedObject) return Datum(Null{});
  return value;
}

Result SetConfig(const Datum* a, const Context& context) {
  if (IsNull(a[0])) return SqlError(sqlstate::kNullValueNotAllowed, "SET requires parameter name");
  const std::optional<std::string> value = IsNull(a[1]) ? std::nullopt : std::optional(TextOf(a[1]));
  const bool local = !IsNull(a[2]) && std::get<bool>(a[2]);
  ASSIGN_OR_RETURN(std::string now, context.config->SetConfig(TextOf(a[0]), value, local));
  return Datum(std::move(now));
}

Result Sleep(const Datum* a, const Context& context) {
  constexpr double kSecondsMax = 1e9;
  const double seconds = std::clamp(DoubleOf(a[0]), 0.0, kSecondsMax);
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, context.stop, std::chrono::duration<double>(seconds), [] { return false; });
  RETURN_IF_ERROR(CheckStop(context.stop));
  return Datum(std::string());
}

// There are none.
Result UnlockAllAdvisory(const Datum*, const Context&) { return Datum(std::string()); }

}  // namespace

FunctionList SessionFunctions() {
  constexpr T kText = T::kText;
  constexpr auto kStable = Volatility::kStable;
  return {
      {"cluster_logical_timestamp", {}, T::kNumeric, LogicalTime, kStable},
      {"version", {}, kText, VersionText, kStable},
      {"current_database", {}, T::kName, CurrentDatabase, kStable},
      {"current_catalog", {}, T::kName, CurrentDatabase, kStable},
      {"current_user", {}, T::kName, CurrentUser, kStable},
      {"session_user", {}, T::kName, CurrentUser, kStable},
      {"current_schema", {}, T::kName, CurrentSchema, kStable},
      {"current_setting", {kText}, kText, CurrentSetting, kStable},
      {"current_setting", {kText, T::kBool}, kText, CurrentSettingOrNull, kStable},
      {"set_config", {kText, kText, T::kBool}, kText, SetConfig, Volatility::kVolatile, false},
      {"pg_backend_pid", {}, T::kInt4, BackendPid, kStable},
      {"pg_is_in_recovery", {}, T::kBool, IsInRecovery, Volatility::kVolatile},
      {"pg_sleep", {T::kFloat8}, T::kVoid, Sleep, Volatility::kVolatile},
      {"pg_advisory_unlock_all", {}, T::kVoid, UnlockAllAdvisory, Volatility::kVolatile},
  };
}

}  // namespace anabranch
