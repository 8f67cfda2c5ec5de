// What execve(2) gives the new program and what it keeps: the program runs itself.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

static int second(int argc, char** argv) {
  printf("argc %d", argc);
  for (int i = 0; i < argc; i++) printf(" [%s]", i == 2 ? "pid" : argv[i]);
  printf("\nenv");
  for (char** e = environ; *e; e++) printf(" [%s]", *e);
  printf("\n");
  uintptr_t argc_at = (uintptr_t)argv - 8;
  printf("stack aligned %d argc there %d\n", argc_at % 16 == 0, (int)*(long*)argc_at == argc);
  int contiguous = 1;
  for (int i = 1; i < argc; i++) contiguous &= argv[i] == argv[i - 1] + strlen(argv[i - 1]) + 1;
  printf("strings contiguous %d, environment follows %d\n", contiguous,
         !environ[0] || environ[0] == argv[argc - 1] + strlen(argv[argc - 1]) + 1);
  printf(
      "pagesz %lu clktck %lu phent %lu phnum-ok %d entry-ok %d flags %lu secure %lu uid %d execfn %s "
      "platform %s\n",
      getauxval(AT_PAGESZ), getauxval(AT_CLKTCK), getauxval(AT_PHENT), getauxval(AT_PHNUM) > 5,
      getauxval(AT_ENTRY) != 0, getauxval(AT_FLAGS), getauxval(AT_SECURE), getauxval(AT_UID) == getuid(),
      strrchr((char*)getauxval(AT_EXECFN), '/') + 1, (char*)getauxval(AT_PLATFORM));
  printf("vdso %d random %d base %d hwcap %d minsigstksz %d\n", getauxval(AT_SYSINFO_EHDR) != 0,
         getauxval(AT_RANDOM) != 0, getauxval(AT_BASE) != 0, (getauxval(AT_HWCAP) & 1) != 0,
         getauxval(51) > 1000);
  Elf64_Phdr* ph = (Elf64_Phdr*)getauxval(AT_PHDR);
  printf("phdr readable %d\n", ph->p_type == PT_PHDR);
  Elf64_Ehdr* vdso = (Elf64_Ehdr*)getauxval(AT_SYSINFO_EHDR);
  printf("vdso elf %d\n", vdso && memcmp(vdso->e_ident, ELFMAG, 4) == 0);

  char name[16] = "";
  prctl(PR_GET_NAME, name);
  printf("comm %s\n", name);
  struct sigaction sa;
  sigset_t set;
  sigaction(SIGUSR1, NULL, &sa);
  printf("caught %s", sa.sa_handler == SIG_DFL ? "default" : "other");
  sigaction(SIGUSR2, NULL, &sa);
  printf(" ignored %s", sa.sa_handler == SIG_IGN ? "ignored" : "other");
  sigpending(&set);
  printf(" pending %d", sigismember(&set, SIGHUP));
  sigprocmask(SIG_BLOCK, NULL, &set);
  printf(" blocked %d\n", sigismember(&set, SIGHUP));
  stack_t ss;
  sigaltstack(NULL, &ss);
  printf("altstack flags %d\n", ss.ss_flags);
  printf("fd 10 %d fd 11 %d\n", fcntl(10, F_GETFD), fcntl(11, F_GETFD));
  char link[4096];
  ssize_t n = readlink("/proc/self/exe", link, sizeof link - 1);
  link[n > 0 ? n : 0] = 0;
  printf("exe %s\n", strrchr(link, '/') ? strrchr(link, '/') + 1 : link);
  printf("same pid %d\n", atoi(argv[2]) == getpid());
  void* brk0 = sbrk(0);
  printf("brk %d\n", sbrk(4096) == brk0);
  return 0;
}
static void try(const char* what, const char* path, char** argv, char** envp) {
  execve(path, argv, envp);
  printf("%s: %s\n", what, strerror(errno));
}
static void put(const char* name, const void* data, size_t n, int mode) {
  int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (write(fd, data, n) != (ssize_t)n) exit(1);
  fchmod(fd, (mode_t)mode);
  close(fd);
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc > 1 && strcmp(argv[1], "second") == 0) return second(argc, argv);

  char* none[] = {NULL};
  char* one[] = {"x", NULL};
  put("empty", "", 0, 0755);
  put("text", "hello\n", 6, 0755);
  put("notexec", "#!/bin/sh\n", 10, 0644);
  put("badinterp", "#!/nonexistent/prog\n", 20, 0755);
  put("nointerp", "#!\n", 3, 0755);
  char blanks[300];
  memset(blanks, 'a', sizeof blanks);
  memcpy(blanks, "#!/", 3);
  put("longinterp", blanks, sizeof blanks, 0755);
  Elf64_Ehdr h;
  int fd = open("/proc/self/exe", O_RDONLY);
  if (read(fd, &h, sizeof h) != sizeof h) return 1;
  close(fd);
  put("truncated", &h, sizeof h, 0755);
  put("half", &h, 20, 0755);
  h.e_machine = EM_AARCH64;
  put("arm", &h, sizeof h, 0755);
  symlink("loop", "loop");
  put("script1", "#!./script2 a b \n", 17, 0755);
  put("script2", "#!/bin/echo  one two\t\n", 22, 0755);
  char line[64];
  for (int i = 0; i < 8; i++) {
    char name[16];
    sprintf(name, "nest%d", i);
    if (i < 7)
      sprintf(line, "#!./nest%d\n", i + 1);
    else
      sprintf(line, "#!/bin/echo\n");
    put(name, line, strlen(line), 0755);
  }
  try("missing", "nothere", one, none);
  try("directory", ".", one, none);
  try("empty path", "", one, none);
  try("component", "empty/x", one, none);
  try("empty", "./empty", one, none);
  try("text", "./text", one, none);
  try("not executable", "./notexec", one, none);
  try("bad interpreter", "./badinterp", one, none);
  try("no interpreter", "./nointerp", one, none);
  try("long interpreter", "./longinterp", one, none);
  try("truncated", "./truncated", one, none);
  try("half a header", "./half", one, none);
  try("other machine", "./arm", one, none);
  try("link loop", "./loop", one, none);
  try("bad path", (char*)8, one, none);
  try("bad argv", "/bin/true", (char**)8, none);
  char* bad[] = {"x", (char*)8, NULL};
  try("bad string", "/bin/true", bad, none);
  char* huge = malloc(140000);
  memset(huge, 'x', 139999);
  huge[139999] = 0;
  char* toolong[] = {"x", huge, NULL};
  try("string over 128K", "/bin/true", toolong, none);
  huge[100000] = 0;
  char* many[31];
  for (int i = 0; i < 30; i++) many[i] = huge;
  many[30] = NULL;
  try("3M of arguments", "/bin/true", many, none);
  try("nested too deep", "./nest0", one, none);

  int st;
  if (fork() == 0) try("script", "./script1", (char*[]){"zero", "arg 1", "arg2", NULL}, none);
  wait(&st);
  if (fork() == 0) try("five levels", "./nest3", one, none);
  wait(&st);
  printf("status %x\n", st);
  huge[20000] = 0;
  char* ok[61];
  for (int i = 0; i < 60; i++) ok[i] = huge;
  ok[60] = NULL;
  if (fork() == 0) try("1.2M of arguments", "/bin/true", ok, none);
  wait(&st);
  printf("1.2M: status %x\n", st);
  // fexecve of a script needs the descriptor afterwards.
  fd = open("script2", O_RDONLY | O_CLOEXEC);
  fexecve(fd, one, none);
  printf("fexecve cloexec script: %s\n", strerror(errno));
  close(fd);

  struct sigaction sa = {0};
  sa.sa_handler = _exit;
  sigaction(SIGUSR1, &sa, NULL);
  signal(SIGUSR2, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGHUP);
  stack_t ss = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&ss, NULL);
  fd = open("/dev/null", O_RDONLY);
  dup2(fd, 10);
  dup3(fd, 11, O_CLOEXEC);
  char pid[16];
  sprintf(pid, "%d", getpid());
  execve("/proc/self/exe", (char*[]){"name", "second", pid, "", "last one", NULL},
         (char*[]){"A=1", "LC_ALL=C", NULL});
  printf("exec failed: %s\n", strerror(errno));
  return 1;
}
