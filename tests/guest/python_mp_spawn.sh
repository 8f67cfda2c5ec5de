# python3 multiprocessing with fresh interpreters: spawn, forkserver, and a manager process.
PATH=/usr/bin:/bin
command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }
cat >mp.py <<'PY'
import multiprocessing as mp, sys

def square(x):
    return x * x

def produce(q, lock, n):
    with lock:
        for i in range(n):
            q.put(i)
        q.put(None)

def fail():
    sys.exit(9)

if __name__ == "__main__":
    ctx = mp.get_context("spawn")
    p = ctx.Process(target=fail)
    p.start(); p.join()
    print("spawn exit code", p.exitcode)
    q, lock = ctx.Queue(), ctx.Lock()
    p = ctx.Process(target=produce, args=(q, lock, 500))
    p.start()
    print("spawn queue", sum(iter(q.get, None)))
    p.join()
    with mp.get_context("forkserver").Pool(2) as pool:
        print("forkserver map", sum(pool.map(square, range(100), chunksize=10)))
    with mp.Manager() as manager:
        d = manager.dict(a=1)
        d["b"] = 2
        print("manager", dict(d))
    print("children left", mp.active_children())
PY
exec python3 mp.py
