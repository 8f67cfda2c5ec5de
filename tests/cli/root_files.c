// What only root may do with the file tree: mount, bind, chroot, pivot_root, device nodes; and what the
// effective user changes. Run natively in a user and mount name space of its own, and as root in the guest.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../guest/say.h"

static void put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) printf("%s: %s\n", path, strerrorname_np(errno));
  close(fd);
}
static void get(const char* path) {
  char b[64] = "";
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, b, sizeof b - 1);
  printf("%s: %s\n", path, n < 0 ? strerrorname_np(errno) : b);
  close(fd);
}
static void mounts(const char* below) {  // lines of /proc/self/mounts, without what depends on the machine
  FILE* f = fopen("/proc/self/mounts", "r");
  char line[1024], dev[256], where[256], type[64], opts[512];
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "%255s %255s %63s %511s", dev, where, type, opts) == 4 && strstr(where, below)) {
      opts[strcspn(opts, ",")] = 0;
      printf("mount %s %s\n", strstr(where, below), opts);
    }
  if (f) fclose(f);
}

static void ns_link(char* out) {
  ssize_t n = readlink("/proc/self/ns/mnt", out, 63);
  out[n < 0 ? 0 : n] = 0;
}

// A child with CLONE_NEWNS of `how`: what it mounts and unmounts is not seen outside, what was there before
// is.
static void namespaces(void) {
  for (int how = 0; how < 2; how++) {
    char ours[64], theirs[64];
    mkdir("gone", 0755);
    mkdir("moving", 0755);
    int go[2], done[2];
    if (pipe(go) || pipe(done)) exit(1);
    ns_link(ours);
    fflush(stdout);
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD | (how ? CLONE_NEWNS : 0), 0, 0, 0, 0);
    if (pid == 0) {
      if (how == 0) SAY(unshare(CLONE_NEWNS));
      ns_link(theirs);
      printf("another name space %d\n", strcmp(ours, theirs) != 0);
      get("to/in/file");
      SAY(mount("child", "src", "tmpfs", 0, NULL));
      SAY(mount("child", "gone", "tmpfs", 0, NULL));
      SAY(mount("child", "moving", "tmpfs", 0, NULL));
      put("gone/file", "on a directory that goes");
      put("moving/file", "on a directory that moves");
      put("src/file", "the child's");
      SAY(umount("to/in"));
      put("to/both", how ? "second" : "first");  // the file system is the same
      mounts("root_test");
      fflush(stdout);
      char c = 'x';
      if (write(done[1], &c, 1) != 1 || read(go[0], &c, 1) != 1) exit(1);
      get("src/file");
      get("gone/file");
      SAY(access("gone", F_OK));
      SAY(access("moving", F_OK));
      get("moved/file");
      exit(0);
    }
    char c;
    if (read(done[0], &c, 1) != 1) exit(1);
    get("src/file");
    get("to/in/file");
    get("to/both");
    mounts("root_test");
    char path[64];
    char their_cwd[128] = "";
    snprintf(path, sizeof path, "/proc/%d/cwd/src/file", pid);
    int fd = open(path, O_RDONLY);  // as the child sees it
    printf("through its directory: %zd %s\n", fd < 0 ? -1 : read(fd, their_cwd, sizeof their_cwd - 1),
           their_cwd);
    close(fd);
    snprintf(path, sizeof path, "/proc/%d/cwd/src", pid);
    SAY(umount(path));  // a mount of another name space
    SAY(rmdir("gone"));
    SAY(rename("moving", "moved"));
    SAY(umount("to/in") == 0 && mount("inner", "to/in", "tmpfs", 0, NULL) == 0 ? 0 : -1);
    put("to/in/file", "mounted anew");
    fflush(stdout);
    if (write(go[1], "x", 1) != 1) exit(1);
    int status;
    waitpid(pid, &status, 0);
    printf("its end %d\n", status);
    SAY(rmdir("moved"));
    close(go[0]), close(go[1]), close(done[0]), close(done[1]);
  }
  SAY(unshare(CLONE_NEWNS | 0x1));
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  mkdir("root_test", 0755);
  if (chdir("root_test")) return 1;
  mkdir("t", 0755);
  mkdir("b", 0755);
  mkdir("src", 0755);
  put("src/file", "in src");
  char cwd[512];
  if (!getcwd(cwd, sizeof cwd)) return 1;

  puts("-- tmpfs");
  SAY(mount("mytmp", "t", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=700"));
  struct stat st;
  stat("t", &st);
  struct statfs fs;
  statfs("t", &fs);
  printf("mode %o type %lx size %lu\n", st.st_mode, (long)fs.f_type,
         (unsigned long)(fs.f_blocks * (unsigned long)fs.f_bsize));
  put("t/file", "in tmpfs");
  get("t/file");
  char* big = calloc(1, 2 << 20);
  int fd = open("t/big", O_WRONLY | O_CREAT, 0600);
  printf("written %zd", write(fd, big, 2 << 20));
  printf(", then %s\n", write(fd, big, 1) < 0 ? strerrorname_np(errno) : "ok");
  close(fd);
  SAY(unlink("t/big"));
  mounts("root_test");
  SAY(mount("x", "t", "nosuchfs", 0, NULL));
  SAY(mount("x", "none", "tmpfs", 0, NULL));
  SAY(mount("x", "src/file", "tmpfs", 0, NULL));

  puts("-- bind");
  SAY(mount("src", "b", NULL, MS_BIND, NULL));
  get("b/file");
  put("b/new", "through the bind mount");
  get("src/new");
  SAY(mount(NULL, "b", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
  SAY(open("b/more", O_WRONLY | O_CREAT, 0644));
  SAY(open("b/file", O_WRONLY));
  SAY(mkdir("b/dir", 0755));
  SAY(unlink("b/file"));
  SAY(chmod("b/file", 0600));
  SAY(rename("b/file", "src/file2"));
  SAY(open("src/more", O_WRONLY | O_CREAT, 0644));
  SAY(rmdir("b"));
  put("target", "");
  SAY(mount("src/file", "target", NULL, MS_BIND, NULL));
  get("target");
  SAY(umount("target"));
  SAY(mount("none", "b", NULL, MS_BIND, NULL));
  SAY(mount("src", "src/file", NULL, MS_BIND, NULL));
  mounts("root_test");

  puts("-- umount");
  int in_use = open("t/file", O_RDONLY);
  SAY(umount("t"));
  SAY(umount2("t", MNT_DETACH));
  printf("still readable %zd\n", read(in_use, big, 8));
  close(in_use);
  get("t/file");
  SAY(umount("t"));
  SAY(umount2("b", 0x4000));
  SAY(umount("b"));
  mounts("root_test");

  puts("-- nodes");
  SAY(mkfifo("fifo", 0600));
  SAY(mknod("sock", S_IFSOCK | 0600, 0));
  SAY(mknod("reg", S_IFREG | 0600, 0));

  puts("-- chroot");
  fflush(stdout);
  if (fork() == 0) {
    mkdir("jail", 0755);
    mkdir("jail/in", 0755);
    put("jail/in/file", "in the jail");
    symlink("/in/file", "jail/absolute");
    symlink("../../../../in/file", "jail/dots");
    SAY(chroot("jail"));
    SAY(chdir("/"));
    get("/absolute");
    get("/dots");
    get("../../../in/file");
    char b[256];
    printf("cwd %s\n", getcwd(b, sizeof b));
    SAY(chroot("none"));
    SAY(chroot("/in/file"));
    SAY(open("/proc/self/exe", O_RDONLY));
    exit(0);
  }
  wait(NULL);

  puts("-- pivot_root");
  fflush(stdout);
  if (fork() == 0) {
    SAY(unshare(CLONE_NEWNS));
    mkdir("new", 0755);
    SAY(mount("newroot", "new", "tmpfs", 0, NULL));
    mkdir("new/old", 0755);
    put("new/file", "in the new root");
    SAY(syscall(SYS_pivot_root, "new", "src"));
    SAY(syscall(SYS_pivot_root, "new", "new/old"));
    SAY(chdir("/"));
    get("/file");
    snprintf(cwd + strlen(cwd), 32, "/src/file");
    char old[600];
    snprintf(old, sizeof old, "/old%s", cwd);
    printf("old root is there %d\n", access(old, R_OK));
    exit(0);
  }
  wait(NULL);
  get("/file");  // ours is as before
  mounts("root_test");

  puts("-- moved, and with what is mounted below");
  mkdir("from", 0755);
  mkdir("to", 0755);
  mkdir("again", 0755);
  SAY(mount("outer", "from", "tmpfs", 0, NULL));
  mkdir("from/in", 0755);
  SAY(mount("inner", "from/in", "tmpfs", 0, NULL));
  put("from/in/file", "deep");
  SAY(mount("from", "again", NULL, MS_BIND, NULL));
  get("again/in/file");
  SAY(umount("again"));
  SAY(mount("from", "again", NULL, MS_BIND | MS_REC, NULL));
  get("again/in/file");
  SAY(umount("again"));
  SAY(umount2("again", MNT_DETACH));
  SAY(mount("from", "to", NULL, MS_MOVE, NULL));
  get("to/in/file");
  get("from/in/file");
  SAY(mount("from", "again", NULL, MS_MOVE, NULL));
  SAY(mount("to", "to/in", NULL, MS_MOVE, NULL));
  SAY(mount(NULL, "to", NULL, MS_PRIVATE | MS_REC, NULL));
  SAY(mount(NULL, "from", NULL, MS_PRIVATE, NULL));
  mounts("root_test");

  puts("-- name spaces");
  namespaces();
  return 0;
}
