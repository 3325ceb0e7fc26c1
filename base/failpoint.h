// Named places where a test can hold or kill a real process: ANABRANCH_FAILPOINTS="name=action,name=action".
// Actions: "pause" holds the calling thread there for ever (until SIGKILL), "exit" ends the process as SIGKILL would,
// "delay:<ms>" waits that long each time. Each hit is logged as `failpoint.hit name=... action=...`, so a test can wait for
// the event and prove that its fault acted. Unset, a failpoint is one load of a constant flag.
#pragma once

#include <string_view>

namespace anabranch {

void Failpoint(std::string_view name);

}  // namespace anabranch
