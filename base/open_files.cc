#include "base/open_files.h"

#include <sys/resource.h>

namespace anabranch {

uint64_t OpenFilesMax() {
  rlimit files = {};
  getrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_cur;
}

}  // namespace anabranch
