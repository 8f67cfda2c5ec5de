# luajit: compiled traces that call into libc, coroutines, and traces that are thrown away and made again.
PATH=/usr/bin:/bin
command -v luajit >/dev/null || { echo "SKIPPED: no luajit"; exit 77; }
cat >p.lua <<'LUA'
local ffi = require('ffi')
ffi.cdef[[
int getppid(void); long write(int, const void *, unsigned long); int pipe(int *); long read(int, void *, unsigned long);
int raise(int); int fork(void); void _exit(int); int waitpid(int, int *, int);
]]
local C = ffi.C
local parent = C.getppid()
local same = 0
for i = 1, 20000 do if C.getppid() == parent then same = same + 1 end end
print('calls', same)
local p, b = ffi.new('int[2]'), ffi.new('char[64]')
C.pipe(p)
local sum = 0
for i = 1, 5000 do
  b[0] = i % 128
  C.write(p[1], b, 1)
  C.read(p[0], b, 64)
  sum = sum + b[0]
end
print('pipe', sum)
local made = coroutine.wrap(function() for i = 1, 1e6 do if i % 250000 == 0 then coroutine.yield(i) end end end)
print('coroutine', made(), made(), made(), made())
for round = 1, 20 do
  jit.flush()
  local x = 0
  for i = 1, 20000 do x = (x * 31 + i) % 1000003 end
  if round == 20 then print('flushed', x) end
end
for i = 1, 10 do
  local pid = C.fork()
  if pid == 0 then
    local y = 0
    for j = 1, 20000 do y = y + C.getppid() % 2 end
    C._exit(y >= 0 and i or 99)
  end
  local status = ffi.new('int[1]')
  C.waitpid(pid, status, 0)
  io.write(status[0] / 256, ' ')
end
print()
LUA
luajit p.lua
LUA_INIT= luajit -joff p.lua
