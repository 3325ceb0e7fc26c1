// The table of the replication benchmark: ours beside PostgreSQL, a row per measure, the targets there are and whether they are met.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace anabranch {

double Median(std::vector<double> values);                         // REQUIRES: not empty
double Percentile(std::vector<double> values, double percentile);  // REQUIRES: not empty

// Zero: there is no such target. The ratio is ours over PostgreSQL's.
struct Target {
  double least = 0;
  double most = 0;
  double least_ratio = 0;
  double most_ratio = 0;
};

// Of each side the values of the rounds, of which the median counts; empty where that side has no such thing.
struct ReplicationRow {
  std::string name;
  std::string unit;
  std::vector<double> ours;
  std::vector<double> postgresql;
  Target target;
};

// Printed as it grows.
class ReplicationTable {
 public:
  void PrintHead() const;
  // The ratio is the median of the rounds' ratios, where both sides had as many.
  void Add(const ReplicationRow& row);
  // A title over the rows from here on. `name` stands in their JSON.
  void BeginGroup(const std::string& name, const std::string& title);

  // An array with an object per row.
  absl::Status WriteJson(const std::string& path) const;

 private:
  std::string group_;
  std::vector<std::string> json_;
};

}  // namespace anabranch
