# python3 mmap: shared and private, anonymous across fork, resize, flush, protection, sparse files.
PATH=/usr/bin:/bin
command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }
exec python3 - <<'PY'
import ctypes, hashlib, mmap, os, resource

with open("f", "wb") as f:
    f.write(bytes(range(256)) * 64)
fd = os.open("f", os.O_RDWR)
m = mmap.mmap(fd, 0)
print(len(m), m[:4], m.find(b"\xff\x00"), m.rfind(b"\x10\x11"))
m[100:105] = b"HELLO"
m.flush()
print(os.pread(fd, 5, 100))
os.pwrite(fd, b"WORLD", 4196)
print(m[4196:4201])
m.move(0, 100, 5)
print(m[:5], m.readline()[:5], m.tell())
m.resize(40000)
print(len(m), os.fstat(fd).st_size, m[39999])
m[39999] = 7
m.close()
print(hashlib.md5(open("f", "rb").read()).hexdigest())
p = mmap.mmap(fd, 8192, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE, offset=4096)
p[:3] = b"abc"
print(p[:3], os.pread(fd, 3, 4096))
r = mmap.mmap(fd, 4096, access=mmap.ACCESS_READ)
try:
    r[0] = 1
except TypeError as e:
    print("read only", e)
ro = os.open("f", os.O_RDONLY)
try:
    mmap.mmap(ro, 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_WRITE)
except PermissionError as e:
    print("no right", e.errno)
try:
    mmap.mmap(fd, 100000)
except ValueError as e:
    print(e)
a = mmap.mmap(-1, 1 << 20)
if os.fork() == 0:
    a[:5] = b"child"
    os._exit(0)
os.wait()
print(a[:5])
b = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
if os.fork() == 0:
    b[:5] = b"child"
    os._exit(0)
os.wait()
print(b[:5])
if os.fork() == 0:  # a touch beyond the end of the file
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    s = mmap.mmap(fd, 40000)
    os.ftruncate(fd, 4096)
    s[20000]
    os._exit(0)
print("SIGBUS", os.WTERMSIG(os.wait()[1]))
big = os.open("sparse", os.O_RDWR | os.O_CREAT)
os.ftruncate(big, 1 << 32)
s = mmap.mmap(big, 4096, offset=(1 << 32) - 4096)
s[4095] = 1
s.close()
print(os.pread(big, 1, (1 << 32) - 1), os.fstat(big).st_blocks < 1000, os.lseek(big, 0, os.SEEK_DATA) == (1 << 32) - 4096)
z = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)  # MAP_NORESERVE
z[::1 << 20] = bytes([1]) * 64
z.madvise(mmap.MADV_DONTNEED, 0, 32 << 20)
print("after MADV_DONTNEED", sum(z[::1 << 20]))
z.close()
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
print("zero length", libc.mmap(None, 0, 3, 0x22, -1, 0) == ctypes.c_void_p(-1).value, ctypes.get_errno())
PY
