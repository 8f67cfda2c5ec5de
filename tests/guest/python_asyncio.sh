# python3 asyncio: tasks, time-outs, TCP, UDP and Unix sockets on loopback, subprocesses, signals, executors.
PATH=/usr/bin:/bin
command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }
exec python3 - <<'PY'
import asyncio, hashlib, os, signal, socket

async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def client(i, **where):
    connect = asyncio.open_unix_connection if "path" in where else asyncio.open_connection
    reader, writer = await connect(**where)
    block = hashlib.sha256(str(i).encode()).digest() * 4096
    async def send():
        writer.write(block)
        await writer.drain()
        writer.write_eof()
    task = asyncio.create_task(send())
    got = await reader.read(-1)
    await task
    writer.close()
    await writer.wait_closed()
    return got == block

async def tcp():
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        server = await asyncio.start_server(echo, host, 0, family=family)
        port = server.sockets[0].getsockname()[1]
        async with server:
            print(host, all(await asyncio.gather(*[client(i, host=host, port=port) for i in range(12)])))
    try:
        await asyncio.open_connection("127.0.0.1", 9)
    except ConnectionRefusedError as e:
        print("refused", e.errno)

async def unix():
    server = await asyncio.start_unix_server(echo, "sock")
    async with server:
        print("unix", all(await asyncio.gather(*[client(i, path="sock") for i in range(10)])))
    os.unlink("sock")

class Udp(asyncio.DatagramProtocol):
    def __init__(self, reply, done):
        self.reply, self.done, self.seen = reply, done, []
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, addr):
        self.seen.append(data)
        if self.reply:
            self.transport.sendto(data.upper(), addr)
        elif len(self.seen) == 3:
            self.done.set_result(self.seen)

async def udp():
    loop = asyncio.get_running_loop()
    st, _ = await loop.create_datagram_endpoint(lambda: Udp(True, None), local_addr=("127.0.0.1", 0))
    done = loop.create_future()
    ct, _ = await loop.create_datagram_endpoint(lambda: Udp(False, done), remote_addr=st.get_extra_info("sockname"))
    for m in (b"a", b"b" * 1000, b"c"):
        ct.sendto(m)
    print("udp", [len(x) for x in await asyncio.wait_for(done, 5)])
    ct.close()
    st.close()

async def processes():
    p = await asyncio.create_subprocess_exec("sort", "-n", stdin=-1, stdout=-1)
    out, _ = await p.communicate(b"3\n1\n2\n")
    print(out, p.returncode)
    ps = [await asyncio.create_subprocess_shell(f"sleep 0.0{i}; exit {i}") for i in range(5)]
    print(await asyncio.gather(*[p.wait() for p in ps]))
    p = await asyncio.create_subprocess_exec("sleep", "20")
    p.kill()
    print(await p.wait())

async def rest():
    loop = asyncio.get_running_loop()
    order = []
    async def after(d, x):
        await asyncio.sleep(d)
        order.append(x)
    await asyncio.gather(after(0.15, 3), after(0.01, 1), after(0.08, 2))
    print("order", order)
    try:
        async with asyncio.timeout(0.05):
            await asyncio.sleep(20)
    except TimeoutError:
        print("timed out")
    fut = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, lambda: fut.set_result("signalled"))
    loop.call_later(0.02, os.kill, os.getpid(), signal.SIGUSR1)
    print(await asyncio.wait_for(fut, 5))
    print(await asyncio.gather(*[loop.run_in_executor(None, pow, 2, n) for n in (8, 16)]), await asyncio.to_thread(len, "abc"))
    print("resolved", (await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM))[0][4])
    q = asyncio.Queue(2)
    async def produce():
        for i in range(6):
            await q.put(i)
    task = asyncio.create_task(produce())
    print([await q.get() for _ in range(6)])
    task2 = asyncio.create_task(asyncio.sleep(20))
    await asyncio.sleep(0)
    task2.cancel()
    print((await asyncio.gather(task, task2, return_exceptions=True))[1].__class__.__name__)

async def main():
    for part in (tcp, unix, udp, processes, rest):
        await asyncio.wait_for(part(), 15)

asyncio.run(main())
PY
