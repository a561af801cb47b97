// SPDX-License-Identifier: Apache-2.0
// Preloaded into a process: of the calls that change files below a folder, the n-th fails, or the
// process dies at it; and clocks can be shifted. What is called is glibc's, so it needs Linux.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum mode {
  FAULT_OFF = 0,   // count only
  FAULT_ONCE = 1,  // the n-th call fails
  FAULT_FULL = 2,  // from the n-th on, everything that needs space fails
  FAULT_DEAD = 3,  // from the n-th on, every call fails
  FAULT_KILL = 4,  // the process is killed at the n-th call
};
enum need { NEEDS_NOTHING, NEEDS_SPACE };

static char below[PATH_MAX];
static enum mode mode = FAULT_OFF;
static int fault_at = 0;
static int fault_errno = ENOSPC;
static int counted = 0;
static int armed = 0;

// For the test: from now on, with the count at zero.
void fault_arm(const char* const folder, const int at, const int how, const int error) {
  snprintf(below, sizeof below, "%s", folder);
  fault_at = at;
  mode = (enum mode)how;
  fault_errno = error;
  counted = 0;
  armed = 1;
}

int fault_count(void) {
  armed = 0;
  return counted;
}

// A process that is armed by its environment: FAULT_BELOW, FAULT_AT, FAULT_MODE.
__attribute__((constructor)) static void arm_by_environment(void) {
  const char* const folder = getenv("FAULT_BELOW");
  if (folder == NULL) return;
  fault_arm(folder, atoi(getenv("FAULT_AT")), atoi(getenv("FAULT_MODE")), ENOSPC);
}

static int is_below(const int folder, const char* const path) {
  char full[2 * PATH_MAX] = "";
  if (path == NULL || path[0] != '/') {
    if (folder == AT_FDCWD) {
      if (getcwd(full, sizeof full) == NULL) return 0;
    } else {
      char link[64];
      snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
      const ssize_t size = readlink(link, full, PATH_MAX);
      if (size < 0) return 0;
      full[size] = '\0';
    }
  }
  if (path != NULL) {
    const size_t used = strlen(full);
    snprintf(full + used, sizeof full - used, "/%s", path);
  }
  const char* start = full;
  while (start[0] == '/' && start[1] == '/') ++start;
  return strncmp(start, below, strlen(below)) == 0;
}

// 1 if this call has to fail.
static int fails(const int folder, const char* const path, const enum need need) {
  if (!armed || !is_below(folder, path)) return 0;
  ++counted;
  const int hit = counted == fault_at;
  const int past = fault_at > 0 && counted >= fault_at;
  if (mode == FAULT_KILL && hit) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  if ((mode == FAULT_ONCE && hit) || (mode == FAULT_DEAD && past) ||
      (mode == FAULT_FULL && past && need == NEEDS_SPACE)) {
    errno = fault_errno;
    return 1;
  }
  return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opening(const int folder, const char* const path, const int flags, const mode_t bits) {
  // A file that is there needs no space to be opened, so that a full disk strikes at the write.
  if ((flags & (O_CREAT | O_TRUNC)) != 0 && fails(folder, path, NEEDS_SPACE)) return -1;
  return REAL(openat)(folder, path, flags, bits);
}

#define BITS(flags, bits)                       \
  mode_t bits = 0;                              \
  if (((flags) & (O_CREAT | O_TMPFILE)) != 0) { \
    va_list list;                               \
    va_start(list, flags);                      \
    bits = va_arg(list, mode_t);                \
    va_end(list);                               \
  }

int open(const char* path, int flags, ...) {
  BITS(flags, bits)
  return opening(AT_FDCWD, path, flags, bits);
}
int open64(const char* path, int flags, ...) {
  BITS(flags, bits)
  return opening(AT_FDCWD, path, flags, bits);
}
int openat(int folder, const char* path, int flags, ...) {
  BITS(flags, bits)
  return opening(folder, path, flags, bits);
}
int openat64(int folder, const char* path, int flags, ...) {
  BITS(flags, bits)
  return opening(folder, path, flags, bits);
}

// Half of it is written before it fails, or the process dies.
ssize_t write(int file, const void* data, size_t size) {
  if (armed && is_below(file, NULL) && counted + 1 == fault_at && size > 1) {
    (void)!REAL(write)(file, data, size / 2);
  }
  return fails(file, NULL, NEEDS_SPACE) ? -1 : REAL(write)(file, data, size);
}
int fsync(int file) { return fails(file, NULL, NEEDS_SPACE) ? -1 : 0; }  // the tests end no power
int ftruncate(int file, off_t size) {
  return fails(file, NULL, NEEDS_NOTHING) ? -1 : REAL(ftruncate)(file, size);
}
int ftruncate64(int file, off64_t size) {
  return fails(file, NULL, NEEDS_NOTHING) ? -1 : REAL(ftruncate64)(file, size);
}
int fchmod(int file, mode_t bits) {
  return fails(file, NULL, NEEDS_NOTHING) ? -1 : REAL(fchmod)(file, bits);
}
int mkdir(const char* path, mode_t bits) {
  return fails(AT_FDCWD, path, NEEDS_SPACE) ? -1 : REAL(mkdir)(path, bits);
}
int mkdirat(int folder, const char* path, mode_t bits) {
  return fails(folder, path, NEEDS_SPACE) ? -1 : REAL(mkdirat)(folder, path, bits);
}
int rename(const char* from, const char* to) {
  return fails(AT_FDCWD, to, NEEDS_NOTHING) ? -1 : REAL(rename)(from, to);
}
int renameat(int a, const char* from, int b, const char* to) {
  return fails(b, to, NEEDS_NOTHING) ? -1 : REAL(renameat)(a, from, b, to);
}
int unlink(const char* path) {
  return fails(AT_FDCWD, path, NEEDS_NOTHING) ? -1 : REAL(unlink)(path);
}
int unlinkat(int folder, const char* path, int flags) {
  return fails(folder, path, NEEDS_NOTHING) ? -1 : REAL(unlinkat)(folder, path, flags);
}
int rmdir(const char* path) {
  return fails(AT_FDCWD, path, NEEDS_NOTHING) ? -1 : REAL(rmdir)(path);
}

// CLOCK_SHIFT seconds are added to the wall clock.
static long clock_shift(void) {
  const char* const text = getenv("CLOCK_SHIFT");
  return text != NULL ? atol(text) : 0;
}
int clock_gettime(clockid_t clock, struct timespec* now) {
  const int status = REAL(clock_gettime)(clock, now);
  if (status == 0 && clock == CLOCK_REALTIME) now->tv_sec += clock_shift();
  return status;
}
time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday(struct timeval* now, void* zone) {
  struct timespec found;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &found);
  now->tv_sec = found.tv_sec;
  now->tv_usec = found.tv_nsec / 1000;
  return 0;
}
