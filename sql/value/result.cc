#include "sql/value/result.h"

#include "base/status.h"

namespace anabranch {
namespace {

absl::Status NoCopyOut() {
  return SqlError(sqlstate::kFeatureNotSupported, "COPY TO STDOUT in this place is not supported");
}

}  // namespace

absl::Status ResultSink::BeginCopyOut(size_t) { return NoCopyOut(); }
absl::Status ResultSink::CopyData(std::string_view) { return NoCopyOut(); }
absl::Status ResultSink::EndCopyOut() { return NoCopyOut(); }

}  // namespace anabranch
