# shellcheck shell=bash
# Clock, timers and randomness come in through constructors: the calls below stay in base/. Waiting without an event is for one helper of the demo.

check() {
  local folder=$1 pattern
  pattern='chrono::(system|steady|high_resolution)_clock|\b(system|steady|high_resolution)_clock::|clock_gettime|gettimeofday|sleep_for|sleep_until|\b(u|nano)?sleep\(|random_device'
  pattern+='|\brand\(\)|\b(srand|rand_r|drand48|srandom)\(|\btime\((0|NULL|nullptr)\)'
  (
    cd "$folder" || exit
    files "$folder" '^(storage|stream|tenant|sql|node|tests|bench)/.*\.(h|cc)$' |
      xargs -r grep -nHE "$pattern" | sed 's/$/   <- belongs to base\//' || true
    files "$folder" '^(storage|stream|tenant|sql|node|tests|bench)/.*\.(h|cc)$' | grep -v '^node/demo/wait.cc$' |
      xargs -r grep -nHE '\bpoll\((nullptr|NULL|0),' | sed 's/$/   <- waits for nothing/' || true
  )
}

self_test() {
  must_report storage/a.cc 'auto t = std::chrono::system_clock::now();'
  must_report tests/a.cc 'std::chrono::steady_clock::now();'
  must_report stream/a.cc 'std::this_thread::sleep_for(x);'
  must_report node/a.cc '  usleep(10);'
  must_report node/a.cc '  sleep(1);'
  must_report sql/a.h 'std::random_device device;'
  must_report tenant/a.cc 'int x = rand();'
  must_report tenant/a.cc 'clock_gettime(CLOCK_REALTIME, &ts);'
  must_report stream/a.cc 'poll(nullptr, 0, 100);'
  must_pass base/clock.cc 'std::chrono::system_clock::now();'
  must_pass node/demo/wait.cc 'poll(nullptr, 0, 100);'
  must_report stream/a.cc 'using std::chrono::steady_clock;'
  must_report stream/a.cc 'steady_clock::now();'
  must_pass storage/a.cc '#include "rocksdb/system_clock.h"'
  must_pass sql/a.cc 'store->random()->Next(); operand(x);'
}
