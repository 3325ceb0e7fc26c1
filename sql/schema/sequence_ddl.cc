// CREATE SEQUENCE, ALTER SEQUENCE.
#include <algorithm>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/schema/ddl.h"
#include "sql/schema/sequence_options.h"
#include "sql/stored/sequence.h"

namespace anabranch {
namespace {

using Options = google::protobuf::RepeatedPtrField<pg_query::Node>;

// OWNED BY table.column, or OWNED BY NONE.
absl::Status ApplyOwner(const Options& options, SchemaChange* change, Sequence* sequence) {
  for (const pg_query::Node& option : options) {
    if (option.def_elem().defname() != "owned_by") continue;
    const auto& parts = option.def_elem().arg().list().items();
    if (parts.size() == 1) {
      sequence->owner_table.clear();
      sequence->owner_column = 0;
      continue;
    }
    const std::string& table_name = StringOf(parts[parts.size() - 2]);
    ASSIGN_OR_RETURN(const TableRef table, change->GetTable(table_name));
    const std::optional<int> position = table->FindColumn(StringOf(parts[parts.size() - 1]));
    if (!position) {
      return SqlError(sqlstate::kUndefinedColumn, fmt::format("column \"{}\" of relation \"{}\" does not exist",
                                                              StringOf(parts[parts.size() - 1]), table_name));
    }
    sequence->owner_table = table_name;
    sequence->owner_column = table->columns[*position].id;
  }
  return absl::OkStatus();
}

const pg_query::DefElem* FindOption(const Options& options, std::string_view name) {
  for (const pg_query::Node& option : options) {
    if (option.def_elem().defname() == name) return &option.def_elem();
  }
  return nullptr;
}

}  // namespace

absl::Status CreateSequence(const pg_query::CreateSeqStmt& create, const Execution& execution, ResultSink& sink) {
  if (create.sequence().relpersistence() == "t") return UnsupportedError("CREATE TEMPORARY SEQUENCE");
  SchemaChange change(execution);
  Sequence sequence;
  ASSIGN_OR_RETURN(sequence.name, RelationName(create.sequence()));
  RETURN_IF_ERROR(change.Begin({sequence.name}));
  ASSIGN_OR_RETURN(const std::optional<Descriptor> existing, change.Find(sequence.name));
  if (existing && create.if_not_exists()) {
    sink.Notice(sqlstate::kDuplicateTable, fmt::format("relation \"{}\" already exists, skipping", sequence.name));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(change.CheckFree(sequence.name));
  sequence.owner = execution.evaluation.session->user;
  RETURN_IF_ERROR(ApplySequenceOptions(create.options(), &sequence));
  RETURN_IF_ERROR(ApplyOwner(create.options(), &change, &sequence));
  ASSIGN_OR_RETURN(sequence.id, change.NewId());
  sequence.oid = sequence.id;
  return change.Put(sequence);
}

// A new id has no state: the sequence begins again at its start, once the transaction commits.
absl::Status RestartSequence(const Sequence& sequence, SchemaChange* change) {
  Sequence restarted = sequence;
  RETURN_IF_ERROR(change->Discard(sequence.id));
  ASSIGN_OR_RETURN(restarted.id, change->NewId());
  return change->Put(restarted);
}

absl::Status AlterSequence(const pg_query::AlterSeqStmt& alter, const Execution& execution, ResultSink& sink) {
  SchemaChange change(execution);
  ASSIGN_OR_RETURN(const std::string name, RelationName(alter.sequence()));
  RETURN_IF_ERROR(change.Begin({name}));
  ASSIGN_OR_RETURN(const std::optional<Descriptor> existing, change.Find(name));
  if (!existing && alter.missing_ok()) {
    sink.Notice("00000", fmt::format("relation \"{}\" does not exist, skipping", name));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const SequenceRef before, change.GetSequence(name));
  Sequence sequence = *before;
  RETURN_IF_ERROR(ApplySequenceOptions(alter.options(), &sequence));
  RETURN_IF_ERROR(ApplyOwner(alter.options(), &change, &sequence));
  // Numbers in memory were made by the old options: a new id starts over, from where the sequence is.
  const pg_query::DefElem* restart = FindOption(alter.options(), "restart");
  ASSIGN_OR_RETURN(SequenceState state, ReadSequenceState(*execution.transaction, *before));
  if (restart != nullptr) {
    state = {sequence.start, false};
    if (restart->has_arg()) {
      ASSIGN_OR_RETURN(state.value, SequenceOptionValue(*restart));
    }
    if (state.value < sequence.min || state.value > sequence.max) {
      return SqlError(sqlstate::kInvalidParameterValue,
                      fmt::format("RESTART value ({}) cannot be {} ({})", state.value,
                                  state.value < sequence.min ? "less than MINVALUE" : "greater than MAXVALUE",
                                  state.value < sequence.min ? sequence.min : sequence.max));
    }
  }
  RETURN_IF_ERROR(change.Discard(before->id));
  ASSIGN_OR_RETURN(sequence.id, change.NewId());
  RETURN_IF_ERROR(InitializeSequence(execution.evaluation.session->transaction, sequence, state));
  return change.Put(sequence);
}

}  // namespace anabranch
