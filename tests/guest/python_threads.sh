# python3 threads: locks, conditions, semaphores, barriers, queues, thread pools, thread-local data, timers.
PATH=/usr/bin:/bin
command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }
exec python3 - <<'PY'
import queue, sys, threading, time
from concurrent.futures import ThreadPoolExecutor, as_completed

sys.setswitchinterval(1e-4)
total, lock = 0, threading.Lock()
def add():
    global total
    for _ in range(500):
        with lock:
            total += 1
ts = [threading.Thread(target=add) for _ in range(40)]
[t.start() for t in ts]; [t.join() for t in ts]
print("locked sum", total)

items, cond, got = [], threading.Condition(), []
def consumer():
    while True:
        with cond:
            cond.wait_for(lambda: items)
            x = items.pop(0)
        if x is None:
            return
        with lock:
            got.append(x)
cs = [threading.Thread(target=consumer) for _ in range(4)]
[c.start() for c in cs]
for i in range(200):
    with cond:
        items.append(i)
        cond.notify()
with cond:
    items.extend([None] * 4)
    cond.notify_all()
[c.join() for c in cs]
print("consumed", len(got), sum(got), sorted(got) == list(range(200)))

sem, inside, most = threading.BoundedSemaphore(3), 0, 0
def limited():
    global inside, most
    with sem:
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.002)
        with lock:
            inside -= 1
ts = [threading.Thread(target=limited) for _ in range(20)]
[t.start() for t in ts]; [t.join() for t in ts]
print("semaphore", most <= 3, inside)

barrier, order = threading.Barrier(8), []
def meet(i):
    for phase in range(3):
        with lock:
            order.append(phase)
        barrier.wait()
ts = [threading.Thread(target=meet, args=(i,)) for i in range(8)]
[t.start() for t in ts]; [t.join() for t in ts]
print("barrier", order == sorted(order), len(order))

local = threading.local()
def own(i):
    local.x = i
    time.sleep(0.001)
    return local.x == i
with ThreadPoolExecutor(10) as pool:
    print("local", all(pool.map(own, range(50))))
    print("pool", sorted(f.result() for f in as_completed([pool.submit(pow, i, 3) for i in range(6)])))
print("main has no local", hasattr(local, "x"))

q = queue.PriorityQueue(5)
t = threading.Thread(target=lambda: [q.put(i) for i in (5, 1, 4, 2, 3)])
t.start(); t.join()
print("queue", [q.get() for _ in range(5)], q.empty())
try:
    q.get(timeout=0.05)
except queue.Empty:
    print("queue timed out")
e = threading.Event()
threading.Timer(0.05, e.set).start()
print("event", e.wait(5), e.is_set(), threading.Event().wait(0.02))
start = time.monotonic()
print("lock timeout", (lock.acquire(), lock.acquire(timeout=0.1))[1], 0.09 < time.monotonic() - start < 5)
print("threads left", threading.active_count() <= 2)
d = threading.Thread(target=time.sleep, args=(100,), daemon=True)
d.start()
print("daemon", d.is_alive(), threading.current_thread().name)
PY
