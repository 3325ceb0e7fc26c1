#include "sql/control/read_shape.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "base/system_time.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "sql/control/time_expression.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

constexpr int64_t kRetentionSecondsMax = 2'147'483'647;

const SystemToken& FirstToken(const SyntaxMatch& match, const Captured& captured) { return match.tokens()[captured.begin]; }

absl::Status ErrorAt(const SystemToken& token, std::string_view sqlstate, std::string message) {
  return WithLocation(SqlError(sqlstate, std::move(message)), token.location);
}

// REQUIRES of those below: the rule matched.
absl::StatusOr<std::string> ReadName(const SyntaxMatch& match, std::string_view rule, std::string_view of_what) {
  const SystemToken& token = FirstToken(match, *match.Find(rule));
  if (token.value.empty()) {
    return ErrorAt(token, sqlstate::kSyntaxError, fmt::format("the name of {} must not be empty", of_what));
  }
  return token.value;
}

absl::StatusOr<std::string> ReadUri(const SyntaxMatch& match) {
  const SystemToken& token = FirstToken(match, *match.Find("uri"));
  if (token.value.empty()) return ErrorAt(token, sqlstate::kInvalidParameterValue, "the connection string is empty");
  return token.value;
}

// OF vc ON 'uri'.
absl::Status ReadSource(const SyntaxMatch& match, ReplicationSource* source) {
  ASSIGN_OR_RETURN(source->virtual_cluster, ReadVirtualCluster(match, "source"));
  ASSIGN_OR_RETURN(source->uri, ReadUri(match));
  return absl::OkStatus();
}

std::vector<std::string> ReadNames(const SyntaxMatch& match, std::string_view rule) {
  std::vector<std::string> names;
  for (const Captured& captured : match.All(rule)) names.push_back(FirstToken(match, captured).value);
  return names;
}

// nullopt: the option is not there. 42601 if it is there twice.
absl::StatusOr<const Captured*> ReadOnce(const SyntaxMatch& match, std::string_view rule, std::string_view option) {
  const std::vector<Captured> all = match.All(rule);
  if (all.size() > 1) {
    return ErrorAt(FirstToken(match, all[1]), sqlstate::kSyntaxError,
                   fmt::format("{} option specified multiple times", option));
  }
  return match.Find(rule);
}

absl::StatusOr<std::optional<uint64_t>> ReadInterval(const SyntaxMatch& match, std::string_view rule,
                                                     std::string_view option, std::string_view what) {
  ASSIGN_OR_RETURN(const Captured* const captured, ReadOnce(match, rule, option));
  if (captured == nullptr) return std::optional<uint64_t>();
  const SystemToken& token = match.tokens()[match.Find("interval", captured)->end - 1];
  absl::StatusOr<int64_t> ns = ParseIntervalNs(token.value);
  if (!ns.ok()) return WithLocation(std::move(ns).status(), token.location);
  if (*ns < 0 || *ns / 1'000'000'000 > kRetentionSecondsMax) {
    return ErrorAt(token, sqlstate::kInvalidParameterValue,
                   fmt::format("{} should result in a number of seconds between 0 and {}", what, kRetentionSecondsMax));
  }
  return std::optional(static_cast<uint64_t>(*ns));
}

// RETENTION, EXPIRATION WINDOW and READ VIRTUAL CLUSTER.
template <typename Options>
absl::Status ReadReplicationOptions(const SyntaxMatch& match, Options* options) {
  ASSIGN_OR_RETURN(options->retention_ns, ReadInterval(match, "retention", "RETENTION", "retention"));
  ASSIGN_OR_RETURN(options->expiration_window_ns,
                   ReadInterval(match, "expiration_window", "EXPIRATION WINDOW", "expiration window"));
  ASSIGN_OR_RETURN(const Captured* const read, ReadOnce(match, "read_virtual_cluster", "READ VIRTUAL CLUSTER"));
  options->read_virtual_cluster = read != nullptr;
  return absl::OkStatus();
}

// nullopt: the rule did not match.
absl::StatusOr<std::optional<std::string>> ReadOptionalTime(const SyntaxMatch& match, std::string_view rule) {
  const Captured* const captured = match.Find(rule);
  if (captured == nullptr) return std::optional<std::string>();
  ASSIGN_OR_RETURN(std::string time, ReadTimeExpression(match, *captured));
  return std::optional(std::move(time));
}

absl::StatusOr<std::optional<VirtualClusterSpec>> ReadOptionalVirtualCluster(const SyntaxMatch& match,
                                                                             std::string_view rule) {
  if (!match.Has(rule)) return std::optional<VirtualClusterSpec>();
  ASSIGN_OR_RETURN(VirtualClusterSpec spec, ReadVirtualCluster(match, rule));
  return std::optional(std::move(spec));
}

// Tokens side by side: a.b.c, -1.
std::string Joined(const SyntaxMatch& match, const Captured& captured) {
  std::string joined;
  for (size_t i = captured.begin; i < captured.end; ++i) joined += match.tokens()[i].value;
  return joined;
}

// Whether the setting can have the value is not the grammar's business.
template <typename Shape>
absl::Status ReadSetting(const SyntaxMatch& match, Shape* set) {
  set->setting = Joined(match, *match.Find("setting"));
  const Captured* const value = match.Find("value");
  if (value != nullptr && !match.Has("default")) set->value = Joined(match, *value);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint64_t>> ReadJobs(const SyntaxMatch& match) {
  std::vector<uint64_t> ids;
  for (const Captured& captured : match.All("job")) {
    const SystemToken& token = FirstToken(match, captured);
    uint64_t id = 0;
    for (const char digit : token.value) {
      if (__builtin_mul_overflow(id, 10, &id) || __builtin_add_overflow(id, digit - '0', &id)) {
        return ErrorAt(token, sqlstate::kProgramLimitExceeded, fmt::format("job ID {} is out of range", token.value));
      }
    }
    ids.push_back(id);
  }
  return ids;
}

// cap [= v]
absl::StatusOr<CapabilityValue> ReadCapability(const SyntaxMatch& match, const Captured& captured, bool grant) {
  const SystemToken& name = FirstToken(match, captured);
  const std::optional<Capability> capability = FindCapability(name.value);
  if (!capability) {
    std::vector<std::string_view> names;
    for (const CapabilityInfo& info : kCapabilities) names.push_back(info.name);
    return WithLocation(SqlError(sqlstate::kSyntaxError, fmt::format("unknown capability: \"{}\"", name.value),
                                 fmt::format("The capabilities are {}.", fmt::join(names, ", "))),
                        name.location);
  }
  CapabilityValue read{.capability = *capability, .value = std::nullopt};
  if (const Captured* const value = match.Find("value", &captured)) read.value = Joined(match, *value);
  if (!grant && read.value) {
    return ErrorAt(name, sqlstate::kSyntaxError, fmt::format("no value allowed in revoke: \"{}\"", name.value));
  }
  if (!InfoOf(*capability).is_bool) {
    if (!grant) {
      return ErrorAt(name, sqlstate::kInvalidParameterValue, fmt::format("cannot REVOKE CAPABILITY \"{}\"", name.value));
    }
    if (!read.value) {
      return ErrorAt(name, sqlstate::kSyntaxError, fmt::format("value required for capability: \"{}\"", name.value));
    }
  }
  return read;
}

}  // namespace

absl::StatusOr<VirtualClusterSpec> ReadVirtualCluster(const SyntaxMatch& match, std::string_view rule) {
  const Captured* const captured = match.Find(rule);
  const Captured* const number = match.Find("integer", captured);
  if (number == nullptr) {
    ASSIGN_OR_RETURN(std::string name, ReadName(match, rule, "a virtual cluster"));
    return VirtualClusterSpec(std::move(name));
  }
  const SystemToken& token = FirstToken(match, *number);
  uint64_t id = 0;
  for (const char digit : token.value) {
    id = id * 10 + static_cast<uint64_t>(digit - '0');
    if (id > UINT32_MAX) {
      return ErrorAt(token, sqlstate::kProgramLimitExceeded,
                     fmt::format("virtual cluster ID {} is out of range", token.value));
    }
  }
  return VirtualClusterSpec(TenantId(id));
}

absl::Status ReadShape(const SyntaxMatch& match, CreateVirtualCluster* create) {
  create->if_not_exists = match.Has("if_not_exists");
  ASSIGN_OR_RETURN(create->name, ReadName(match, "new_name", "a virtual cluster"));
  ASSIGN_OR_RETURN(create->like, ReadOptionalVirtualCluster(match, "template"));
  if (match.Has("from_clone")) {
    FromClone& clone = create->from.emplace<FromClone>();
    ASSIGN_OR_RETURN(clone.source, ReadVirtualCluster(match, "source"));
    ASSIGN_OR_RETURN(clone.as_of, ReadOptionalTime(match, "time"));
  } else if (match.Has("from_replication")) {
    FromReplication& replication = create->from.emplace<FromReplication>();
    RETURN_IF_ERROR(ReadSource(match, &replication.source));
    return ReadReplicationOptions(match, &replication.options);
  }
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, CompleteReplication* complete) {
  complete->with_fence = match.Has("fence");
  complete->with_fingerprint = match.Has("fingerprint");
  if (match.Has("latest")) {
    complete->to = ToLatest{};
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::string expression, ReadTimeExpression(match, *match.Find("time")));
  complete->to = ToSystemTime{std::move(expression)};
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, StartReplication* start) {
  RETURN_IF_ERROR(ReadSource(match, &start->source));
  return ReadReplicationOptions(match, &start->options);
}

absl::Status ReadShape(const SyntaxMatch& match, SetReplication* set) {
  RETURN_IF_ERROR(ReadReplicationOptions(match, set));
  ASSIGN_OR_RETURN(const Captured* const source, ReadOnce(match, "uri", "SOURCE"));
  if (source == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(set->source_uri, ReadUri(match));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, Switchover* switchover) {
  ASSIGN_OR_RETURN(switchover->pause_budget_ns, ReadInterval(match, "pause_budget", "PAUSE BUDGET", "pause budget"));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ResetData* reset) {
  ASSIGN_OR_RETURN(reset->to, ReadTimeExpression(match, *match.Find("time")));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, RenameVirtualCluster* rename) {
  ASSIGN_OR_RETURN(rename->name, ReadName(match, "new_name", "a virtual cluster"));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ChangeCapabilities* change) {
  change->grant = match.Has("grant");
  change->all = match.Has("all");
  for (const Captured& captured : match.All("capability")) {
    ASSIGN_OR_RETURN(CapabilityValue read, ReadCapability(match, captured, change->grant));
    const bool again = std::any_of(change->capabilities.begin(), change->capabilities.end(),
                                   [&](const CapabilityValue& other) { return other.capability == read.capability; });
    if (again) {
      const SystemToken& name = FirstToken(match, captured);
      return ErrorAt(name, sqlstate::kSyntaxError, fmt::format("capability \"{}\" specified multiple times", name.value));
    }
    change->capabilities.push_back(std::move(read));
  }
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, SetVirtualClusterSetting* set) { return ReadSetting(match, set); }

absl::Status ReadShape(const SyntaxMatch& match, DropVirtualCluster* drop) {
  ASSIGN_OR_RETURN(drop->target, ReadVirtualCluster(match, "virtual_cluster"));
  drop->if_exists = match.Has("if_exists");
  drop->immediate = match.Has("immediate");
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ShowVirtualClusters* show) {
  ASSIGN_OR_RETURN(show->target, ReadOptionalVirtualCluster(match, "virtual_cluster"));
  struct Detail {
    std::string_view rule;
    std::string_view option;
    bool* shown;
  };
  for (const Detail& detail :
       {Detail{"replication_status", "REPLICATION STATUS", &show->with_replication_status},
        Detail{"capabilities", "CAPABILITIES", &show->with_capabilities},
        Detail{"prior_replication", "PRIOR REPLICATION DETAILS", &show->with_prior_replication_details}}) {
    ASSIGN_OR_RETURN(const Captured* const captured, ReadOnce(match, detail.rule, detail.option));
    *detail.shown = captured != nullptr;
  }
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ShowFingerprints* show) {
  ASSIGN_OR_RETURN(show->target, ReadVirtualCluster(match, "virtual_cluster"));
  ASSIGN_OR_RETURN(show->start_timestamp, ReadOptionalTime(match, "start_time"));
  ASSIGN_OR_RETURN(show->as_of, ReadOptionalTime(match, "as_of_time"));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ShowLostWrites* show) {
  ASSIGN_OR_RETURN(show->target, ReadVirtualCluster(match, "virtual_cluster"));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ExplainLag* explain) {
  ASSIGN_OR_RETURN(explain->target, ReadVirtualCluster(match, "virtual_cluster"));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, CreateExternalConnection* create) {
  create->if_not_exists = match.Has("if_not_exists");
  ASSIGN_OR_RETURN(create->name, ReadName(match, "new_name", "an external connection"));
  ASSIGN_OR_RETURN(create->uri, ReadUri(match));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, AlterExternalConnection* alter) {
  alter->if_exists = match.Has("if_exists");
  ASSIGN_OR_RETURN(alter->name, ReadName(match, "connection", "an external connection"));
  ASSIGN_OR_RETURN(alter->uri, ReadUri(match));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, DropExternalConnection* drop) {
  drop->if_exists = match.Has("if_exists");
  ASSIGN_OR_RETURN(drop->name, ReadName(match, "connection", "an external connection"));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ShowExternalConnections* show) {
  if (!match.Has("connection")) return absl::OkStatus();
  ASSIGN_OR_RETURN(show->name, ReadName(match, "connection", "an external connection"));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ChangeSystemGrants* change) {
  change->grant = match.Has("grant");
  change->all = match.Has("all");
  change->privileges = ReadNames(match, "privilege");
  for (std::string& privilege : change->privileges) {
    for (char& c : privilege) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  change->users = ReadNames(match, "user");
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ShowSystemGrants* show) {
  show->users = ReadNames(match, "user");
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, SetClusterSetting* set) { return ReadSetting(match, set); }

absl::Status ReadShape(const SyntaxMatch& match, ShowClusterSetting* show) {
  show->setting = Joined(match, *match.Find("setting"));
  ASSIGN_OR_RETURN(show->target, ReadOptionalVirtualCluster(match, "virtual_cluster"));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ShowClusterSettings* show) {
  show->only_public = !match.Has("all");
  ASSIGN_OR_RETURN(show->target, ReadOptionalVirtualCluster(match, "virtual_cluster"));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ShowJobs* show) {
  show->when_complete = match.Has("when_complete");
  ASSIGN_OR_RETURN(show->ids, ReadJobs(match));
  return absl::OkStatus();
}

absl::Status ReadShape(const SyntaxMatch& match, ControlJobs* control) {
  control->verb = match.Has("cancel")  ? ControlJobs::Verb::kCancel
                  : match.Has("pause") ? ControlJobs::Verb::kPause
                                       : ControlJobs::Verb::kResume;
  ASSIGN_OR_RETURN(control->ids, ReadJobs(match));
  return absl::OkStatus();
}

}  // namespace anabranch
