#include "base/serving_thread.h"

#include <sched.h>

namespace anabranch {

// Where the system forbids it, all stays as it was.
void ServingThread::SetPolicy() const {
  const sched_param none = {};
  sched_setscheduler(0, WaitsForTurns(requests_) ? SCHED_BATCH : SCHED_OTHER, &none);
}

}  // namespace anabranch
