#include "sql/query/select.h"

#include "base/status.h"
#include "sql/parse/tree.h"

namespace anabranch {

absl::StatusOr<SelectPlan> PlanSelect(const pg_query::SelectStmt& select, const SystemStatement* bracket,
                                      const std::vector<const Column*>* assign_to, const Planning& planning) {
  Planning with_bracket = planning;
  with_bracket.bracket = bracket;
  const Planning* const outer = planning.binder->planning();
  planning.binder->set_planning(&with_bracket);
  absl::StatusOr<Query> planned = PlanQuery(select, assign_to, UnknownColumns::kAsText, with_bracket);
  planning.binder->set_planning(outer);
  ASSIGN_OR_RETURN(Query query, std::move(planned));
  return SelectPlan{std::move(query.columns), std::move(query.root), planning.binder->tables()};
}

absl::Status RunSelect(const SelectPlan& plan, const Execution& execution, const RowConsumer& consume) {
  ASSIGN_OR_RETURN(const RowSourceRef source, plan.root->Open(execution, {}));
  Row row;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, source->Next(&row));
    if (!found) return absl::OkStatus();
    RETURN_IF_ERROR(consume(row));
  }
}

}  // namespace anabranch
