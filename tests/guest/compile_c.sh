# gcc and make: compiling, linking and running programs, dynamic and static; the same machine code as natively.
PATH=/usr/bin:/bin
command -v gcc >/dev/null && command -v make >/dev/null || { echo "SKIPPED: no gcc or make"; exit 77; }
cat >main.c <<'C'
#include <stdio.h>
int twice(int);
int main(int argc, char** argv) {
  printf("%s: %d\n", argc > 1 ? argv[1] : "none", twice(argc));
  return twice(argc);
}
C
echo 'int twice(int x) { return 2 * x; }' >twice.c
cat >Makefile <<'M'
all: dynamic static
dynamic: main.o twice.o
	gcc -o $@ $^
static: main.o twice.o
	gcc -static -o $@ $^
%.o: %.c
	gcc -O2 -c -o $@ $<
M
make -s -j3
echo "make: $?"
make -q && echo "up to date"
for p in ./dynamic ./static; do
  $p one two
  echo "status $?"
done
objdump -d main.o twice.o | md5sum
echo 'int main(void) { return undeclared; }' | gcc -x c -fno-diagnostics-show-caret - -o x 2>&1
echo "error: $?"
