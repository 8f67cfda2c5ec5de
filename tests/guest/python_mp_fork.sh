# python3 multiprocessing with fork: Pool, Queue, Pipe, Lock, Value, Event, shared memory, executors.
PATH=/usr/bin:/bin
command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }
cat >mp.py <<'PY'
import multiprocessing as mp, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory

def square(x):
    return x * x

def add(value, lock, n):
    for _ in range(n):
        with lock:
            value.value += 1

def produce(q, n):
    for i in range(n):
        q.put(i)
    q.put(None)

def reply(conn):
    while (x := conn.recv()) is not None:
        conn.send(x * 2)
    conn.close()

def fill(name, n):
    m = shared_memory.SharedMemory(name)
    m.buf[:n] = bytes(range(n))
    m.close()

def wait_event(e, q):
    q.put(e.wait(10))

def fail():
    sys.exit(9)

def run(ctx):
    p = ctx.Process(target=fail)
    p.start(); p.join()
    print("exit code", p.exitcode)
    with ctx.Pool(2) as pool:
        print("map", sum(pool.map(square, range(100), chunksize=10)))
    value, lock = ctx.Value("i", 0, lock=False), ctx.Lock()
    ps = [ctx.Process(target=add, args=(value, lock, 100)) for _ in range(4)]
    [p.start() for p in ps]; [p.join() for p in ps]
    print("locked", value.value)
    q = ctx.Queue()
    p = ctx.Process(target=produce, args=(q, 500))
    p.start()
    print("queue", sum(iter(q.get, None)))
    p.join()
    a, b = ctx.Pipe()
    p = ctx.Process(target=reply, args=(b,))
    p.start(); b.close()
    a.send([1, "x"]); print("pipe", a.recv()); a.send(None); p.join()
    try:
        a.recv()
    except EOFError:
        print("end of file")
    e, q = ctx.Event(), ctx.SimpleQueue()
    p = ctx.Process(target=wait_event, args=(e, q))
    p.start(); e.set(); print("event", q.get()); p.join()
    p = ctx.Process(target=time.sleep, args=(30,))
    p.start(); p.terminate(); p.join(); print("terminated", p.exitcode)
    m = shared_memory.SharedMemory(create=True, size=4096)
    p = ctx.Process(target=fill, args=(m.name, 100))
    p.start(); p.join()
    print("shared memory", sum(m.buf[:100]))
    m.close(); m.unlink()
    with ProcessPoolExecutor(2, mp_context=ctx) as ex:
        print("executor", list(ex.map(square, range(5))))

if __name__ == "__main__":
    run(mp.get_context("fork"))
    print("children left", mp.active_children())
PY
exec python3 mp.py
