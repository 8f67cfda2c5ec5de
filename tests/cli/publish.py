#!/usr/bin/env python3
"""publish.py STARRYRUN: programs outside reach servers in the guest through --publish."""
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403

PYTHON = "/usr/bin/python3"
if not os.path.exists(PYTHON):
    print("SKIPPED: no", PYTHON)
    sys.exit(SKIPPED)

SERVER = """
import socket, threading
def echo(c):
    while True:
        d = c.recv(65536)
        if not d: break
        c.sendall(d)
    c.close()
def resetter(s):
    import struct
    while True:
        c, _ = s.accept()
        c.recv(1)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
def listen(port):
    s = socket.socket(socket.AF_INET6)
    s.bind(("::", port))
    s.listen(8)
    return s
def datagrams():
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind(("127.0.0.1", 53))
    while True:
        d, a = u.recvfrom(70000)
        u.sendto(b"re:" + d, a)
threading.Thread(target=resetter, args=(listen(81),), daemon=True).start()
threading.Thread(target=datagrams, daemon=True).start()
s = listen(80)
print("ready", flush=True)
while True:
    c, a = s.accept()
    threading.Thread(target=echo, args=(c,), daemon=True).start()
"""


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


web, reset, nobody, dns = free_port(), free_port(), free_port(), free_port(socket.SOCK_DGRAM)
guest = start("-q", "--user", "0", "-p", f"{web}:80", "-p", f"127.0.0.1:{reset}:81", "-p", f"{nobody}:82", "--publish",
              f"127.0.0.1:{dns}:53/udp", PYTHON, "-c", SERVER, stdout=subprocess.PIPE)
check("the guest is ready", guest.stdout.readline(), b"ready\n")


def connect(port, address="127.0.0.1"):
    return socket.create_connection((address, port), 30)


def echo(address, size):
    data = os.urandom(size)
    got = bytearray()
    with connect(web, address) as s:
        def collect():
            while part := s.recv(65536):
                got.extend(part)
        reader = threading.Thread(target=collect)
        reader.start()
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        reader.join(60)
    return bytes(got) == data


check("a little", echo("127.0.0.1", 10), True)
check("much", echo("127.0.0.1", 4_000_000), True)
if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
    try:
        check("IPv6", echo("::1", 100_000), True)
    except OSError as e:
        print("no IPv6 here:", e)
results = []
threads = [threading.Thread(target=lambda: results.append(echo("127.0.0.1", 200_000))) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
check("eight at once", results, [True] * 8)


def outcome(port):
    try:
        with connect(port) as s:
            s.sendall(b"x")
            return s.recv(1)
    except ConnectionError:
        return "reset"


check("the guest resets", outcome(reset), "reset")
check("nobody listens in the guest", outcome(nobody), "reset")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
    u.settimeout(30)
    u.sendto(b"query", ("127.0.0.1", dns))
    check("a datagram", u.recv(100), b"re:query")
r = run("-q", "-p", f"{web}:80", "true")
check("a taken port", (r.returncode, r.stderr), (125, b"starryrun: --publish 127.0.0.1:%d: Address already in use\n" % web))
guest.terminate()
check("the end", guest.wait(30), 143)
finish()
