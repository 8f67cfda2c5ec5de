// name_to_handle_at: errors, and that a handle names a file, whatever it is called. On a tmpfs, which has
// them everywhere.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

static int mount_id;
static struct file_handle* handle_of(const char* path, int flags) {
  struct file_handle* h = malloc(sizeof *h + MAX_HANDLE_SZ);
  h->handle_bytes = MAX_HANDLE_SZ;
  if (name_to_handle_at(AT_FDCWD, path, h, &mount_id, flags) == 0) return h;
  printf("%s: %s\n", path, strerrorname_np(errno));
  exit(1);
}
static int same(const struct file_handle* a, const struct file_handle* b) {
  return a->handle_bytes == b->handle_bytes && a->handle_type == b->handle_type &&
         memcmp(a->f_handle, b->f_handle, a->handle_bytes) == 0;
}

int main(void) {
  char dir[] = "/dev/shm/handles-XXXXXX";
  if (mkdtemp(dir) == NULL || chdir(dir) != 0) return 1;
  close(open("a", O_CREAT | O_WRONLY, 0600));
  close(open("b", O_CREAT | O_WRONLY, 0600));
  if (link("a", "also a") || symlink("a", "to a")) return 1;

  puts("-- errors");
  void* volatile nowhere = (void*)8;
  struct file_handle none = {.handle_bytes = 0}, huge = {.handle_bytes = MAX_HANDLE_SZ + 1};
  SAY(name_to_handle_at(AT_FDCWD, "a", &huge, &mount_id, 0));
  SAY(name_to_handle_at(AT_FDCWD, "a", nowhere, &mount_id, 0));
  SAY(name_to_handle_at(AT_FDCWD, nowhere, &none, &mount_id, 0));
  SAY(name_to_handle_at(AT_FDCWD, "a", &none, nowhere, 0));
  SAY(name_to_handle_at(AT_FDCWD, "a", &none, &mount_id, AT_SYMLINK_NOFOLLOW));
  SAY(name_to_handle_at(AT_FDCWD, "none", &none, &mount_id, 0));
  SAY(name_to_handle_at(AT_FDCWD, "", &none, &mount_id, 0));
  SAY(name_to_handle_at(-1, "a", &none, &mount_id, 0));
  SAY(name_to_handle_at(open("a", O_RDONLY), "a", &none, &mount_id, 0));
  SAY(name_to_handle_at(AT_FDCWD, "/proc/self/fd", &none, &mount_id, 0));
  none.handle_bytes = 0;
  mount_id = -1;
  SAY(name_to_handle_at(AT_FDCWD, "a", &none, &mount_id, 0));
  struct file_handle* a = handle_of("a", 0);
  printf("the size it needs: %d, the mount too: %d\n", none.handle_bytes == a->handle_bytes, mount_id >= 0);

  puts("-- who is who");
  printf("a and b: %d\n", same(a, handle_of("b", 0)));
  printf("a and its other name: %d\n", same(a, handle_of("also a", 0)));
  printf("a symbolic link: %d followed: %d\n", same(a, handle_of("to a", 0)),
         same(a, handle_of("to a", AT_SYMLINK_FOLLOW)));
  rename("a", "moved");
  printf("moved: %d\n", same(a, handle_of("moved", 0)));
  int fd = open("moved", O_PATH), by_name = mount_id;
  struct file_handle* h = handle_of("b", 0);
  h->handle_bytes = MAX_HANDLE_SZ;
  SAY(name_to_handle_at(fd, "", h, &mount_id, AT_EMPTY_PATH));
  printf("by descriptor: %d, same mount %d\n", same(a, h), mount_id == by_name);
  // The number is that of /proc/self/mountinfo.
  FILE* f = fopen("/proc/self/mountinfo", "r");
  char line[4096], where[1024];
  int id, found = 0;
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "%d %*d %*s %*s %1023s", &id, where) == 2 && id == mount_id)
      found = !strcmp(where, "/dev/shm");
  printf("mount: /dev/shm %d\n", found);

  unlink("moved"), unlink("b"), unlink("also a"), unlink("to a");
  return chdir("/") || rmdir(dir);
}
