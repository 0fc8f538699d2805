/* Records every change of the files in one folder, in the order in which the changes happened.

   Loaded with LD_PRELOAD. A program calls recorder_start(folder, log, flush_microseconds) once,
   before it opens a file there and before it forks, recorder_mark(text) for whatever it claims to
   the outside, and recorder_stop() before it ends while other threads write. Both changes and
   claims are appended to the log as records:

     kind (1 byte), 3 unused bytes, size of the payload (4), inode (8), offset (8), covered (8), payload

   I  a file that was there at the beginning (payload: its name)
   C  a file was created (its name)
   W  data was written at the offset (the data)
   T  a file's size was set to the offset
   U  a name was removed (the name)
   R  a file was renamed (old name, zero byte, new name)
   S  a file was flushed: the records before number "covered" are on the disk, those of this file
   D  the folder was flushed, likewise
   M  a claim (its text)

   A lock is held around each change and its record. It is shared by forked processes. A flush does
   not hold it, so that other threads write meanwhile; "covered" is where the flush began. No disk
   is waited for: a flush takes as long as it was told at the start. Files are told by their
   inodes, so that duplicated and inherited descriptors need no account of their own; an O_PATH
   descriptor of each is kept, so that no inode is used again. SQLite's -shm files are left out:
   they are built anew when the database is opened first. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(result, name, ...)                                                                    \
  static result (*real)(__VA_ARGS__);                                                              \
  if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define MAX_FILES 4096
#define MAX_PATH 4096
struct shared {
  pthread_mutex_t lock;
  uint64_t n_records;
  unsigned n_files;
  uint64_t files[MAX_FILES];
};

struct record {
  char kind;
  char unused[3];
  uint32_t size;
  uint64_t inode, offset, covered;
};

static struct shared *shared; /* NULL until recorder_start */
static char folder[MAX_PATH];
static size_t folder_length;
static dev_t folder_device;
static ino_t folder_inode;
static int log_fd = -1;
static unsigned flush_microseconds;

static ssize_t really_write(int fd, const void *data, size_t size) {
  REAL(ssize_t, write, int, const void *, size_t);
  return real(fd, data, size);
}

static int really_open(const char *path, int flags, mode_t mode) {
  REAL(int, open, const char *, int, ...);
  return real(path, flags, mode);
}

static void lock(void) { pthread_mutex_lock(&shared->lock); }
static void unlock(void) { pthread_mutex_unlock(&shared->lock); }
static void write_out(const void *data, size_t size) {
  const char *at = data;
  while (size) {
    ssize_t written = really_write(log_fd, at, size);
    if (written <= 0) abort(); /* a log with holes would prove nothing */
    at += written;
    size -= (size_t)written;
  }
}

/* The lock is held. */
static void record(char kind, uint64_t inode, uint64_t offset, uint64_t covered, const void *data,
                   size_t size) {
  struct record head = {kind, {0}, (uint32_t)size, inode, offset, covered};
  int error = errno;
  write_out(&head, sizeof head);
  if (size) write_out(data, size);
  shared->n_records++;
  errno = error;
}

/* The name within the folder, or NULL when the path is elsewhere or is not kept. */
static const char *name_of(int at, const char *path, char *buffer) {
  if (!shared || !path) return NULL;
  if (path[0] != '/') {
    char link[64];
    ssize_t length;
    if (at == AT_FDCWD) {
      if (!getcwd(buffer, MAX_PATH)) return NULL;
      length = (ssize_t)strlen(buffer);
    } else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", at);
      length = readlink(link, buffer, MAX_PATH - 1);
      if (length < 0) return NULL;
      buffer[length] = 0;
    }
    if ((size_t)length + strlen(path) + 2 > MAX_PATH) return NULL;
    buffer[length] = '/';
    strcpy(buffer + length + 1, path);
    path = buffer;
  }
  if (strncmp(path, folder, folder_length) || path[folder_length] != '/') return NULL;
  const char *name = path + folder_length + 1;
  size_t length = strlen(name);
  if (!length || strchr(name, '/')) return NULL;
  return length > 4 && !strcmp(name + length - 4, "-shm") ? NULL : name;
}

/* The lock is held, or no other thread is there yet. */
static void add_file(char kind, const char *name) {
  struct stat found;
  char path[MAX_PATH];
  if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) abort();
  if (stat(path, &found) || shared->n_files == MAX_FILES) abort();
  really_open(path, O_PATH | O_CLOEXEC, 0); /* stays open */
  shared->files[shared->n_files] = found.st_ino;
  __atomic_store_n(&shared->n_files, shared->n_files + 1, __ATOMIC_RELEASE);
  record(kind, found.st_ino, 0, 0, name, strlen(name));
}

static int is_recorded(int fd, struct stat *found) {
  if (!shared || fd == log_fd) return 0;
  int error = errno;
  int is_known = 0;
  if (!fstat(fd, found) && S_ISREG(found->st_mode) && found->st_dev == folder_device) {
    unsigned n_files = __atomic_load_n(&shared->n_files, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < n_files && !is_known; i++)
      is_known = shared->files[i] == found->st_ino;
  }
  errno = error;
  return is_known;
}

/* --- for the program */

int recorder_start(const char *of_folder, const char *log, unsigned flush_us) {
  struct stat found;
  if (!realpath(of_folder, folder) || stat(folder, &found)) return -1;
  folder_length = strlen(folder);
  folder_device = found.st_dev;
  folder_inode = found.st_ino;
  flush_microseconds = flush_us;
  log_fd = really_open(log, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  struct shared *made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (log_fd < 0 || made == MAP_FAILED) return -1;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&made->lock, &attributes);
  shared = made;
  DIR *listing = opendir(folder);
  if (!listing) return -1;
  char buffer[MAX_PATH], path[MAX_PATH + 256];
  for (struct dirent *entry; (entry = readdir(listing));) {
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (entry->d_name[0] != '.' && name_of(AT_FDCWD, path, buffer)) add_file('I', entry->d_name);
  }
  return closedir(listing);
}

void recorder_mark(const char *text) {
  if (!shared) return;
  lock();
  record('M', 0, 0, 0, text, strlen(text));
  unlock();
}

/* Nothing is written from now on: a process that ends between a change and its record would leave
   a change that is in no record. Other threads and processes wait for good. */
void recorder_stop(void) { lock(); }

/* --- what changes names */

static int open_recorded(int at, const char *path, int flags, mode_t mode) {
  REAL(int, openat, int, const char *, int, ...);
  char buffer[MAX_PATH];
  const char *name = flags & (O_CREAT | O_TRUNC) ? name_of(at, path, buffer) : NULL;
  if (!name) return real(at, path, flags, mode);
  lock();
  struct stat before;
  int was_there = !fstatat(at, path, &before, 0);
  int fd = real(at, path, flags, mode);
  if (fd >= 0 && !was_there) add_file('C', name);
  if (fd >= 0 && was_there && flags & O_TRUNC) record('T', before.st_ino, 0, 0, NULL, 0);
  unlock();
  return fd;
}

#define MODE_OF(flags)                                                                             \
  mode_t mode = 0;                                                                                 \
  if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) {                                   \
    va_list more;                                                                                  \
    va_start(more, flags);                                                                         \
    mode = va_arg(more, mode_t);                                                                   \
    va_end(more);                                                                                  \
  }

int open(const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_recorded(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_recorded(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int openat(int at, const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_recorded(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_recorded(at, path, flags | O_LARGEFILE, mode);
}

int creat(const char *path, mode_t mode) {
  return open_recorded(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int unlinkat(int at, const char *path, int flags) {
  REAL(int, unlinkat, int, const char *, int);
  char buffer[MAX_PATH];
  const char *name = name_of(at, path, buffer);
  if (!name) return real(at, path, flags);
  lock();
  int result = real(at, path, flags);
  if (!result) record('U', 0, 0, 0, name, strlen(name));
  unlock();
  return result;
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int renameat(int old_at, const char *old, int new_at, const char *new) {
  REAL(int, renameat, int, const char *, int, const char *);
  char old_buffer[MAX_PATH], new_buffer[MAX_PATH], both[2 * MAX_PATH];
  const char *old_name = name_of(old_at, old, old_buffer);
  const char *new_name = name_of(new_at, new, new_buffer);
  if (!old_name && !new_name) return real(old_at, old, new_at, new);
  if (!old_name || !new_name) abort(); /* into the folder or out of it: not foreseen */
  lock();
  struct stat found;
  int is_there = !fstatat(old_at, old, &found, AT_SYMLINK_NOFOLLOW);
  int result = real(old_at, old, new_at, new);
  if (!result && is_there) {
    size_t size = strlen(old_name) + 1;
    memcpy(both, old_name, size);
    strcpy(both + size, new_name);
    record('R', found.st_ino, 0, 0, both, size + strlen(new_name));
  }
  unlock();
  return result;
}

int rename(const char *old, const char *new) { return renameat(AT_FDCWD, old, AT_FDCWD, new); }

/* --- what changes files */

/* A statement that writes to fd at the offset, and its record; the data are in pieces. */
static void record_pieces(uint64_t inode, off_t offset, const struct iovec *pieces, int count,
                          ssize_t written) {
  for (int i = 0; i < count && written > 0; i++) {
    size_t size = pieces[i].iov_len < (size_t)written ? pieces[i].iov_len : (size_t)written;
    if (size) record('W', inode, (uint64_t)offset, 0, pieces[i].iov_base, size);
    offset += (off_t)size;
    written -= (ssize_t)size;
  }
}

static off_t place_of(int fd) {
  struct stat now;
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && flags & O_APPEND && !fstat(fd, &now)) return now.st_size;
  return lseek(fd, 0, SEEK_CUR);
}

#define RECORDED(place, pieces, count, call)                                                       \
  struct stat found;                                                                               \
  if (!is_recorded(fd, &found)) return call;                                                       \
  lock();                                                                                          \
  off_t from = place;                                                                              \
  ssize_t written = call;                                                                          \
  record_pieces(found.st_ino, from, pieces, count, written);                                       \
  unlock();                                                                                        \
  return written;

ssize_t write(int fd, const void *data, size_t size) {
  struct iovec piece = {(void *)data, size};
  RECORDED(place_of(fd), &piece, 1, really_write(fd, data, size))
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
  REAL(ssize_t, writev, int, const struct iovec *, int);
  RECORDED(place_of(fd), pieces, count, real(fd, pieces, count))
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
  REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
  struct iovec piece = {(void *)data, size};
  RECORDED(offset, &piece, 1, real(fd, data, size, offset))
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
  return pwrite64(fd, data, size, offset);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset) {
  REAL(ssize_t, pwritev64, int, const struct iovec *, int, off64_t);
  RECORDED(offset, pieces, count, real(fd, pieces, count, offset))
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
  return pwritev64(fd, pieces, count, offset);
}

ssize_t pwritev64v2(int fd, const struct iovec *pieces, int count, off64_t offset, int flags) {
  REAL(ssize_t, pwritev64v2, int, const struct iovec *, int, off64_t, int);
  RECORDED(offset < 0 ? place_of(fd) : offset, pieces, count,
           real(fd, pieces, count, offset, flags))
}

ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) {
  return pwritev64v2(fd, pieces, count, offset, flags);
}

int ftruncate64(int fd, off64_t size) {
  REAL(int, ftruncate64, int, off64_t);
  struct stat found;
  if (!is_recorded(fd, &found)) return real(fd, size);
  lock();
  int result = real(fd, size);
  if (!result) record('T', found.st_ino, (uint64_t)size, 0, NULL, 0);
  unlock();
  return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int posix_fallocate64(int fd, off64_t offset, off64_t size) {
  REAL(int, posix_fallocate64, int, off64_t, off64_t);
  struct stat found;
  if (!is_recorded(fd, &found)) return real(fd, offset, size);
  return found.st_size >= offset + size || !ftruncate64(fd, offset + size) ? 0 : errno;
}

int posix_fallocate(int fd, off_t offset, off_t size) { return posix_fallocate64(fd, offset, size); }

/* --- what makes it last */

static int flush(int fd, int (*real)(int)) {
  struct stat found;
  int is_folder = shared && !fstat(fd, &found) && found.st_ino == folder_inode &&
                  found.st_dev == folder_device;
  if (!is_folder && !is_recorded(fd, &found)) return real(fd);
  lock();
  uint64_t covered = shared->n_records;
  unlock();
  usleep(flush_microseconds);
  lock();
  record(is_folder ? 'D' : 'S', found.st_ino, 0, covered, NULL, 0);
  unlock();
  return 0;
}

int fsync(int fd) {
  REAL(int, fsync, int);
  return flush(fd, real);
}

int fdatasync(int fd) {
  REAL(int, fdatasync, int);
  return flush(fd, real);
}
