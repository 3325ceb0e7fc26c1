#include "base/serving_thread.h"

#include <sched.h>

namespace anabranch {

// Where the system forbids it, all stays as it was.
void ServingThread::SetWaitsForTurns(bool waits) {
  waits_for_turns_ = waits;
  const sched_param none = {};
  sched_setscheduler(0, waits ? SCHED_BATCH : SCHED_OTHER, &none);
}

}  // namespace anabranch
