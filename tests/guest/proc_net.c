// /proc/net: the shape of its tables, and the lines of sockets that the program has made; /proc/self/cgroup.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char text[1 << 20];
static void load(const char* path) {
  int fd = open(path, O_RDONLY);
  ssize_t n = 0, got;
  if (fd < 0) printf("%s: %s\n", path, strerrorname_np(errno));
  while (fd >= 0 && (got = read(fd, text + n, sizeof text - 1 - (size_t)n)) > 0) n += got;
  text[n] = 0;
  close(fd);
}
static unsigned long inode_of(int fd) {
  struct stat st;
  fstat(fd, &st);
  return (unsigned long)st.st_ino;
}
// The first line, which names the columns.
static void header(const char* path) {
  load(path);
  printf("%s: [%.*s]\n", path, (int)strcspn(text, "\n"), text);
}

static int make(int family, int type, struct sockaddr* a, socklen_t n) {
  int s = socket(family, type, 0);
  if (bind(s, a, n) != 0) perror("bind");
  return s;
}
// The line with this inode in a table of internet sockets.
static void inet_line(const char* what, const char* path, int fd) {
  load(path);
  char *save, *p = strtok_r(text, "\n", &save);
  int lines = 0;
  while ((p = strtok_r(NULL, "\n", &save)) != NULL) {
    char local[64], remote[64];
    unsigned slot, state, uid;
    unsigned long tx, rx, ino;
    if (sscanf(p, " %u: %63[0-9A-F]:%*x %63[0-9A-F]:%*x %x %lx:%lx %*x:%*x %*x %u %*d %lu", &slot, local,
               remote, &state, &tx, &rx, &uid, &ino) != 8 ||
        ino != inode_of(fd))
      continue;
    lines++;
    printf("%s: local %s remote %s state %02X queues %lx %lx mine %d", what, local, remote, state, tx, rx,
           uid == getuid());
    if (strchr(path, '6') == NULL) printf(" length %zu", strlen(p));
    puts("");
  }
  if (lines != 1) printf("%s: %d lines\n", what, lines);
}

int main(void) {
  header("/proc/net/tcp");
  header("/proc/net/tcp6");
  header("/proc/net/udp");
  header("/proc/net/udp6");
  header("/proc/net/unix");
  header("/proc/net/dev");
  header("/proc/net/route");
  struct sockaddr_in lo4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
                     any4 = {.sin_family = AF_INET};
  struct sockaddr_in6 lo6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT},
                      any6 = {.sin6_family = AF_INET6};
  int l4 = make(AF_INET, SOCK_STREAM, (void*)&lo4, sizeof lo4),
      l6 = make(AF_INET6, SOCK_STREAM, (void*)&any6, sizeof any6);
  int u4 = make(AF_INET, SOCK_DGRAM, (void*)&any4, sizeof any4),
      u6 = make(AF_INET6, SOCK_DGRAM, (void*)&lo6, sizeof lo6);
  if (listen(l4, 7) || listen(l6, 7)) return 1;
  inet_line("listening", "/proc/net/tcp", l4);
  inet_line("listening on all", "/proc/net/tcp6", l6);
  inet_line("udp", "/proc/net/udp", u4);
  inet_line("udp6", "/proc/net/udp6", u6);
  socklen_t n = sizeof lo4;
  getsockname(l4, (struct sockaddr*)&lo4, &n);
  int c = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c, (struct sockaddr*)&lo4, sizeof lo4) || send(c, "unread", 6, 0) != 6) return 1;
  usleep(20000);
  inet_line("one waits", "/proc/net/tcp", l4);
  int s = accept(l4, NULL, NULL);
  inet_line("client", "/proc/net/tcp", c);
  inet_line("server with data", "/proc/net/tcp", s);
  close(c);
  usleep(20000);
  inet_line("server, client gone", "/proc/net/tcp", s);

  n = sizeof lo6;
  getsockname(u6, (struct sockaddr*)&lo6, &n);
  if (sendto(u6, "12345", 5, 0, (struct sockaddr*)&lo6, sizeof lo6) != 5) return 1;
  if (connect(u6, (struct sockaddr*)&lo6, sizeof lo6)) return 1;
  load("/proc/net/udp6");
  printf("udp6 has something queued: ");
  char ino[32];
  snprintf(ino, sizeof ino, " %lu ", inode_of(u6));
  char *at = strstr(text, ino), *line = at;
  while (line && line > text && line[-1] != '\n') line--;
  unsigned state;
  unsigned long rx = 0;
  if (line && sscanf(line, " %*u: %*[0-9A-F]:%*x %*[0-9A-F]:%*x %x %*x:%lx", &state, &rx) == 2)
    printf("%d state %02X", rx > 0, state);
  puts("");

  struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "a socket"}, abstract = {.sun_family = AF_UNIX};
  int ul = make(AF_UNIX, SOCK_STREAM, (void*)&un, sizeof un), pair[2];
  snprintf(abstract.sun_path + 1, 20, "proc-net-%07d", getpid());
  int ua = make(AF_UNIX, SOCK_SEQPACKET, (void*)&abstract, (socklen_t)(sizeof(sa_family_t) + 17));
  if (listen(ul, 3) || socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) return 1;
  const struct {
    const char* what;
    int fd;
  } all[] = {{"listening", ul}, {"abstract", ua}, {"pair", pair[0]}};
  for (int i = 0; i < 3; i++) {
    load("/proc/net/unix");
    char *save, *p = strtok_r(text, "\n", &save);
    int lines = 0;
    while ((p = strtok_r(NULL, "\n", &save)) != NULL) {
      unsigned refs, protocol, flags, type, st;
      unsigned long number;
      char path[128] = "";
      if (sscanf(p, "%*[0-9a-fK]: %x %x %x %x %x %lu %127[^\n]", &refs, &protocol, &flags, &type, &st,
                 &number, path) < 6)
        continue;
      if (number != inode_of(all[i].fd)) continue;
      lines++;
      if (strncmp(path, "@proc-net-", 10) == 0) path[10] = 0;
      printf("unix, %s: protocol %x flags %x type %x state %x path '%s'\n", all[i].what, protocol, flags,
             type, st, path);
    }
    if (lines != 1) printf("unix, %s: %d lines\n", all[i].what, lines);
  }

  load("/proc/net/dev");
  char* lo = strstr(text, "lo:");
  unsigned long v[16];
  int fields = 0;
  if (lo)
    fields = sscanf(lo, "lo: %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu", v, v + 1,
                    v + 2, v + 3, v + 4, v + 5, v + 6, v + 7, v + 8, v + 9, v + 10, v + 11, v + 12, v + 13,
                    v + 14, v + 15);
  printf("lo: %d numbers, counts what was sent %d, sent and received alike %d\n", fields,
         v[1] >= 3 && v[0] > 100, v[0] == v[8] && v[1] == v[9]);

  load("/proc/self/cgroup");
  char* v2 = strstr(text, "0::/");
  printf("cgroup: %s\n", v2 && (v2 == text || v2[-1] == '\n') ? "0::/" : "no line of version 2");
  load("/proc/sys/kernel/pid_max");
  printf("a pid is below pid_max %d\n", getpid() < atoi(text));
  unlink("a socket");
  return 0;
}
