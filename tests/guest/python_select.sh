# python3 select, poll, epoll and selectors over pipes, socket pairs, TCP on loopback and eventfd.
PATH=/usr/bin:/bin
command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }
exec python3 - <<'PY'
import os, select, selectors, signal, socket, threading, time

r, w = os.pipe()
print("select", select.select([r], [w], [], 0) == ([], [w], []), select.select([r], [], [], 0.02))
os.write(w, b"x")
print("readable", select.select([r], [], [], 0)[0] == [r])
p = select.poll()
p.register(r, select.POLLIN)
p.register(w, select.POLLOUT)
print("poll", sorted(e for _, e in p.poll(0)))
os.close(w)
p.unregister(w)
print("hang-up", p.poll(0)[0][1] == select.POLLIN | select.POLLHUP)
os.read(r, 1)
print("end", p.poll(0)[0][1] == select.POLLHUP)

a, b = socket.socketpair()
e = select.epoll()
e.register(a, select.EPOLLIN | select.EPOLLET | select.EPOLLRDHUP)
b.send(b"12")
print("edge", [v for _, v in e.poll(1)], e.poll(0.02))
b.send(b"3")
print("again", [v for _, v in e.poll(1)], a.recv(10), e.poll(0))
e.modify(a, select.EPOLLOUT | select.EPOLLONESHOT)
print("one shot", [v for _, v in e.poll(1)], e.poll(0.02))
e.modify(a, select.EPOLLIN | select.EPOLLRDHUP)
b.shutdown(socket.SHUT_WR)
print("half closed", [hex(v) for _, v in e.poll(1)])
b.close()
print("closed", [hex(v) for _, v in e.poll(1)])
try:
    e.register(os.open("/etc/passwd", os.O_RDONLY))
except PermissionError as x:
    print("regular file", x.errno)
e.close()

ev = os.eventfd(0, os.EFD_NONBLOCK)
e = select.epoll()
e.register(ev, select.EPOLLIN)
threading.Timer(0.05, os.eventfd_write, (ev, 5)).start()
start = time.monotonic()
print("eventfd", [v for _, v in e.poll(5)], os.eventfd_read(ev), time.monotonic() - start < 4)
signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.05)
print("restarted after a handler", e.poll(0.2))

server = socket.create_server(("127.0.0.1", 0))
server.setblocking(False)
sel, served = selectors.DefaultSelector(), 0
print(type(sel).__name__)
sel.register(server, selectors.EVENT_READ)
def client(i):
    c = socket.create_connection(server.getsockname())
    c.sendall(b"%d\n" % i * 1000)
    c.shutdown(socket.SHUT_WR)
    n = 0
    while d := c.recv(4096):
        n += len(d)
    sizes[i] = n
sizes = [0] * 16
ts = [threading.Thread(target=client, args=(i,)) for i in range(16)]
[t.start() for t in ts]
while served < 16:
    for key, mask in sel.select(10):
        if key.fileobj is server:
            c, _ = server.accept()
            c.setblocking(False)
            sel.register(c, selectors.EVENT_READ, bytearray())
        elif mask & selectors.EVENT_READ:
            d = key.fileobj.recv(1000)
            key.data.extend(d)
            if not d:
                sel.modify(key.fileobj, selectors.EVENT_WRITE, key.data)
        elif key.data:
            n = key.fileobj.send(key.data[:1500])
            del key.data[:n]
        else:
            sel.unregister(key.fileobj)
            key.fileobj.close()
            served += 1
[t.join() for t in ts]
print("served", served, sizes)
c = socket.socket()
c.setblocking(False)
print("in progress", c.connect_ex(server.getsockname()) in (0, 115))
select.select([], [c], [], 5)
print("connected", c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
PY
