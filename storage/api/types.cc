#include "storage/api/types.h"

namespace anabranch {

OperationCounts operator-(const OperationCounts& after, const OperationCounts& before) {
  return {
      .iterator_steps = after.iterator_steps - before.iterator_steps,
      .gets = after.gets - before.gets,
      .puts = after.puts - before.puts,
      .deletes = after.deletes - before.deletes,
      .syncs = after.syncs - before.syncs,
  };
}

}  // namespace anabranch
