// execveat(2): programs and scripts by descriptor, flags and errors.
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

static void try(const char* what, int fd, const char* path, int flags) {
  fflush(stdout);
  if (fork() == 0) {
    char* argv[] = {"renamed", "child", NULL};
    char* env[] = {"ONLY=this", NULL};
    syscall(SYS_execveat, fd, path, argv, env, flags);
    printf("%s: %s\n", what, strerrorname_np(errno));
    fflush(stdout);
    _exit(1);
  }
  int status;
  wait(&status);
  printf("%s: status %x\n", what, status);
}

// What the program is told: by descriptor, its name is below /dev/fd.
static int child(char** argv, char** env) {
  const char* name = (const char*)getauxval(AT_EXECFN);
  printf("argv[0] %s, env %s, by /dev/fd %d\n", argv[0], env[0] ? env[0] : "-",
         strncmp(name, "/dev/fd/", 8) == 0);
  return 7;
}

int main(int argc, char** argv, char** env) {
  if (argc > 1) return child(argv, env);
  char self[256];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  self[n > 0 ? n : 0] = 0;
  int program = open(self, O_RDONLY | O_CLOEXEC), path = open(self, O_PATH | O_CLOEXEC),
      here = open(".", O_RDONLY);
  if (symlink(self, "link") != 0) return 1;
  try("descriptor", program, "", AT_EMPTY_PATH);
  try("O_PATH", path, "", AT_EMPTY_PATH);
  try("relative", here, "link", 0);
  try("absolute", -1, self, 0);
  try("link not followed", here, "link", AT_SYMLINK_NOFOLLOW);
  try("empty", program, "", 0);
  try("bad descriptor", -1, "", AT_EMPTY_PATH);
  try("bad directory", program, "x", 0);
  try("none", here, "none", 0);
  try("flags", here, "link", 0x8000);
  try("directory", here, "", AT_EMPTY_PATH);

  int f = open("script", O_CREAT | O_WRONLY, 0755);
  dprintf(f, "#!/bin/echo hi\n");
  close(f);
  try("script", here, "script", 0);
  int closes = open("script", O_RDONLY | O_CLOEXEC), stays = dup2(open("script", O_RDONLY), 30);
  try("script that the interpreter cannot open", closes, "", AT_EMPTY_PATH);
  try("script by descriptor", stays, "", AT_EMPTY_PATH);
  f = open("text", O_CREAT | O_WRONLY, 0644);
  try("not executable", here, "text", 0);
  fchmod(f, 0755);
  try("open for writing", here, "text", 0);
  close(f);
  try("no program", here, "text", 0);
  return 0;
}
