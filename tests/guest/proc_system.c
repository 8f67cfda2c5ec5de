// System-wide files of /proc and /sys, compared with what system calls say.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[1 << 20];
static void* volatile bad_address = (void*)16;

static int load(const char* path) {
  int fd = open(path, O_RDONLY);
  text[0] = 0;
  if (fd < 0) {
    printf("%s: %s\n", path, strerror(errno));
    return 0;
  }
  ssize_t n = 0, got;
  while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0) n += got;
  text[n] = 0;
  close(fd);
  return 1;
}

static void check(const char* what, int ok) { printf("%s: %s\n", what, ok ? "ok" : "WRONG"); }

static int lines_with(const char* start) {
  int n = 0;
  for (char* p = text; *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : p + strlen(p))
    n += strncmp(p, start, strlen(start)) == 0;
  return n;
}

static unsigned long kb(const char* key) {
  char* p = strstr(text, key);
  return p ? strtoul(p + strlen(key), NULL, 10) : 0;
}

static void same_line(const char* path, const char* expect) {
  load(path);
  text[strcspn(text, "\n")] = 0;
  check(path, strcmp(text, expect) == 0);
}

static void print(const char* path) {
  if (load(path)) printf("%s: %s", path, text);
}

int main(void) {
  struct utsname u;
  uname(&u);
  printf("sysname %s machine %s\n", u.sysname, u.machine);
  same_line("/proc/sys/kernel/hostname", u.nodename);
  same_line("/proc/sys/kernel/osrelease", u.release);
  same_line("/proc/sys/kernel/version", u.version);
  print("/proc/sys/kernel/ostype");
  load("/proc/version");
  check("version",
        strncmp(text, "Linux version ", 14) == 0 && strstr(text, u.release) && strstr(text, u.version));

  struct sysinfo info;
  sysinfo(&info);
  load("/proc/meminfo");
  check("MemTotal", kb("MemTotal:") == info.totalram * info.mem_unit / 1024);
  check("MemFree", kb("MemFree:") > 0 && kb("MemAvailable:") <= kb("MemTotal:"));
  static const char* memory[] = {
      "MemTotal:",     "MemFree:",      "MemAvailable:",    "Buffers:",     "Cached:", "SwapTotal:",
      "SwapFree:",     "AnonPages:",    "Mapped:",          "Shmem:",       "Slab:",   "SReclaimable:",
      "Committed_AS:", "VmallocTotal:", "HugePages_Total:", "Hugepagesize:"};
  for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
    if (!strstr(text, memory[i])) printf("meminfo: no %s\n", memory[i]);
  }
  printf("MemTotal is right-aligned: %d\n", (int)(strstr(text, " kB\n") - text) == 24);

  double up, idle;
  load("/proc/uptime");
  struct timespec boot;
  clock_gettime(CLOCK_BOOTTIME, &boot);
  int numbers = sscanf(text, "%lf %lf", &up, &idle);
  printf("uptime: %d numbers, %s\n", numbers,
         up <= boot.tv_sec + 1 && up >= boot.tv_sec - 1 ? "as CLOCK_BOOTTIME" : "WRONG");
  check("sysinfo uptime", info.uptime >= boot.tv_sec - 1 && info.uptime <= boot.tv_sec + 1);
  load("/proc/loadavg");
  double load1, load5, load15;
  int running, total, last;
  printf("loadavg: %d fields",
         sscanf(text, "%lf %lf %lf %d/%d %d\n", &load1, &load5, &load15, &running, &total, &last));
  printf(", %s\n", running >= 1 && total >= running && last >= getpid() ? "ok" : "WRONG");

  int cpus = (int)sysconf(_SC_NPROCESSORS_CONF);
  check("processors online", sysconf(_SC_NPROCESSORS_ONLN) == cpus);
  load("/proc/cpuinfo");
  check("cpuinfo", lines_with("processor\t: ") == cpus && lines_with("flags\t\t: ") == cpus);
  load("/proc/stat");
  check("stat: cpu lines", lines_with("cpu") == cpus + 1 && lines_with("cpu  ") == 1);
  long long busy, nice, system, rest;
  check("stat: numbers", sscanf(text, "cpu %lld %lld %lld %lld", &busy, &nice, &system, &rest) == 4);
  unsigned long btime = kb("\nbtime "), expected = (unsigned long)(time(NULL) - boot.tv_sec);
  check("btime", btime >= expected - 2 && btime <= expected + 2);
  printf("ctxt %d processes %d procs_running %d\n", lines_with("ctxt "), lines_with("processes "),
         lines_with("procs_running "));
  // They only grow, also when processes are gone.
  unsigned long switches = kb("\nctxt "), forks = kb("\nprocesses ");
  for (int i = 0; i < 3; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      for (int j = 0; j < 5; j++) usleep(11000);
      _exit(0);
    }
    waitpid(pid, NULL, 0);
  }
  load("/proc/stat");
  check("ctxt grows", kb("\nctxt ") >= switches + 15);
  check("processes grows", kb("\nprocesses ") >= forks + 3);

  char range[64];
  snprintf(range, sizeof range, cpus > 1 ? "0-%d" : "0", cpus - 1);
  same_line("/sys/devices/system/cpu/online", range);
  same_line("/sys/devices/system/cpu/present", range);
  for (int i = 0; i < cpus; i++) {
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/core_cpus_list", i);
    if (!load(path)) break;
  }
  struct stat st;
  snprintf(range, sizeof range, "/sys/devices/system/cpu/cpu%d", cpus);
  printf("one more: %d\n", stat(range, &st) == 0);
  stat("/sys/devices/system/cpu/online", &st);
  printf("attribute: mode %o size %ld\n", st.st_mode, (long)st.st_size);
  print("/sys/class/net/lo/address");
  print("/sys/class/net/lo/mtu");
  print("/sys/class/net/lo/type");

  load("/proc/filesystems");
  check("filesystems",
        strstr(text, "nodev\tproc\n") && strstr(text, "nodev\ttmpfs\n") && strstr(text, "nodev\tsysfs\n"));
  load("/proc/mounts");
  check("mounts", strstr(text, " /proc proc rw") && strstr(text, " / ") && strstr(text, " /sys sysfs "));
  load("/proc/self/mountinfo");
  int id, parent, major, minor;
  char root[256], point[256];
  check("mountinfo",
        sscanf(text, "%d %d %d:%d %255s %255s", &id, &parent, &major, &minor, root, point) == 6 &&
            strstr(text, " / /proc rw") && strstr(text, " - proc "));
  struct statfs fs;
  statfs("/proc/self", &fs);
  printf("statfs /proc %lx", (long)fs.f_type);
  statfs("/sys", &fs);
  printf(" /sys %lx\n", (long)fs.f_type);

  print("/proc/sys/vm/overcommit_memory");
  print("/proc/sys/kernel/cap_last_cap");
  print("/proc/sys/kernel/ngroups_max");
  print("/proc/sys/fs/nr_open");
  print("/proc/sys/fs/pipe-max-size");
  print("/proc/sys/net/ipv4/ip_local_port_range");
  print("/proc/sys/kernel/random/poolsize");
  char id1[64], id2[64];
  load("/proc/sys/kernel/random/boot_id");
  snprintf(id1, sizeof id1, "%.40s", text);
  load("/proc/sys/kernel/random/boot_id");
  printf("boot_id: length %zu, same %d", strlen(text), strcmp(id1, text) == 0);
  load("/proc/sys/kernel/random/uuid");
  snprintf(id2, sizeof id2, "%.40s", text);
  load("/proc/sys/kernel/random/uuid");
  printf("; uuid: length %zu, same %d, version %c\n", strlen(text), strcmp(id2, text) == 0, text[14]);
  stat("/proc/sys/kernel/hostname", &st);
  int fd = open("/proc/sys/kernel/hostname", O_WRONLY);
  printf("hostname mode %o, open for writing: %s\n", st.st_mode, fd < 0 ? strerror(errno) : "ok");

  // A file read in small pieces is the same as in one.
  load("/proc/filesystems");
  fd = open("/proc/filesystems", O_RDONLY);
  char pieces[4096];
  ssize_t n = 0, got;
  while ((got = read(fd, pieces + n, 3)) > 0) n += got;
  printf("in pieces: %d", n == (ssize_t)strlen(text) && memcmp(pieces, text, n) == 0);
  lseek(fd, 2, SEEK_SET);
  printf(", from 2: %d", read(fd, pieces, 4) == 4 && memcmp(pieces, text + 2, 4) == 0);
  printf(", pread: %d\n", pread(fd, pieces, 5, 1) == 5 && memcmp(pieces, text + 1, 5) == 0);
  close(fd);

  char a[32] = "", b[32] = "";
  printf("getrandom %zd", getrandom(a, 32, 0));
  printf(" %zd", getrandom(b, 32, GRND_NONBLOCK));
  printf(", different %d\n", memcmp(a, b, 32) != 0);
  n = getrandom(a, 1, 0x10);
  printf("bad flag: %s\n", n < 0 ? strerror(errno) : "ok");
  n = getrandom(a, 1, GRND_RANDOM | 4);
  printf("random and insecure: %s\n", n < 0 ? strerror(errno) : "ok");
  n = getrandom(bad_address, 8, 0);
  printf("bad address: %s\n", n < 0 ? strerror(errno) : "ok");
  printf("sethostname: %s\n", sethostname("x", 1) < 0 ? strerror(errno) : "ok");
  unsigned cpu = 99999, node = 99999;
  printf("getcpu %d", getcpu(&cpu, &node));
  printf(", %d\n", cpu < (unsigned)cpus && node == 0);
  // Directory listing: fixed entries and our own process.
  DIR* dir = opendir("/proc");
  struct dirent* e;
  int self = 0, known = 0;
  while ((e = readdir(dir))) {
    self += atoi(e->d_name) == getpid();
    known +=
        strcmp(e->d_name, "meminfo") == 0 || strcmp(e->d_name, "sys") == 0 || strcmp(e->d_name, "self") == 0;
  }
  closedir(dir);
  printf("listing: self %d, known %d\n", self, known);
  return 0;
}
