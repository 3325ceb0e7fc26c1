// The rows that statements give: their columns, and where they go.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "sql/value/datum.h"
#include "sql/value/type_name.h"

namespace anabranch {

struct ColumnDescription {
  std::string name;
  SqlType type = SqlType::kText;
  int32_t modifier = kNoModifier;
};

// Where a statement's rows go, as they are made. An error from a sink ends the statement with that error.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  virtual absl::Status Columns(const std::vector<ColumnDescription>& columns) = 0;  // once, before the first row
  virtual absl::Status AddRow(const Row& row) = 0;
  virtual void Notice(std::string_view sqlstate, const std::string& message) = 0;  // severity WARNING or NOTICE by class

  // COPY ... TO STDOUT: the lines that come between Begin and End, each with its line feed. 0A000 where there is no way to
  // send them.
  virtual absl::Status BeginCopyOut(size_t columns);
  virtual absl::Status CopyData(std::string_view line);
  virtual absl::Status EndCopyOut();
};

}  // namespace anabranch
