#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# python3: threads, processes, asyncio over Unix sockets, a virtual environment, and the standard library's way to the system.
. "$(dirname "$0")/support/steps.sh"
need python3
py() { python3 -X dev -W ignore -c "$1"; }

step threads same 499500 py '
import threading
total, lock = 0, threading.Lock()
def add(n):
    global total
    for i in range(n, 1000, 8):
        with lock: total += i
threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(total)'
step queues_and_timeouts same 'empty 10' py '
import queue, threading, time
q = queue.Queue()
try: q.get(timeout=0.05)
except queue.Empty: print("empty", end=" ")
threading.Thread(target=lambda: [q.put(i) for i in range(5)]).start()
print(sum(q.get(timeout=5) for _ in range(5)))'
step subprocess same 'b'"'"'HELLO\n'"'"' 3 -9' py '
import subprocess
out = subprocess.run(["tr", "a-z", "A-Z"], input=b"hello\n", capture_output=True, check=True).stdout
code = subprocess.run(["sh", "-c", "exit 3"]).returncode
p = subprocess.Popen(["sleep", "100"]); p.kill()
print(out, code, p.wait())'
step subprocess_timeout same late py '
import subprocess
try: subprocess.run(["sleep", "100"], timeout=0.1)
except subprocess.TimeoutExpired: print("late")'
step process_pool same 332833500 py '
import concurrent.futures as f
def square(x): return x * x
with f.ProcessPoolExecutor(2) as pool: print(sum(pool.map(square, range(1000), chunksize=50)))'
cat >workers.py <<'END'
import multiprocessing as m
def work(q, v, l):
    for _ in range(100):
        with l: v.value += 1
    q.put(v.value)
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        c = m.get_context(method)
        q, v, l = c.Queue(), c.Value("i", 0), c.Lock()
        ps = [c.Process(target=work, args=(q, v, l)) for _ in range(3)]
        [p.start() for p in ps]; [p.join() for p in ps]
        print(method, v.value)
END
step multiprocessing same $'fork 300\nspawn 300\nforkserver 300' python3 workers.py
step shared_memory same 'b'"'"'hello'"'" py '
from multiprocessing import shared_memory
a = shared_memory.SharedMemory(create=True, size=100)
b = shared_memory.SharedMemory(name=a.name)
a.buf[:5] = b"hello"; print(bytes(b.buf[:5])); b.close(); a.close(); a.unlink()'
step asyncio_unix_sockets same '100 pong' py '
import asyncio
async def serve(r, w):
    while line := await r.readline(): w.write(b"pong\n"); await w.drain()
    w.close()
async def ask():
    r, w = await asyncio.open_unix_connection("s")
    w.write(b"ping\n"); answer = await r.readline(); w.close(); return answer
async def main():
    server = await asyncio.start_unix_server(serve, "s", backlog=200)
    answers = await asyncio.gather(*(ask() for _ in range(100)))
    print(len(answers), answers[0].decode().strip()); server.close()
asyncio.run(main())'
step asyncio_subprocess same 'b'"'"'out\n'"'"' 4' py '
import asyncio
async def main():
    p = await asyncio.create_subprocess_shell("echo out; exit 4", stdout=asyncio.subprocess.PIPE)
    out, _ = await p.communicate(); print(out, p.returncode)
asyncio.run(main())'
step socketpair_and_descriptors same 'b'"'"'through'"'" py '
import socket, os, array
a, b = socket.socketpair()
r, w = os.pipe(); socket.send_fds(a, [b"x"], [r]); os.close(r)
_, fds, _, _ = socket.recv_fds(b, 10, 1); os.write(w, b"through"); print(os.read(fds[0], 10))'
step selectors same 'r1' py '
import select, os
r1, w1 = os.pipe(); r2, w2 = os.pipe(); os.write(w1, b"x")
e = select.epoll(); e.register(r1, select.EPOLLIN); e.register(r2, select.EPOLLIN)
print("r1" if e.poll(1) == [(r1, 1)] and select.select([r1, r2], [], [], 1)[0] == [r1] else "no")'
step signals same 'alarm wakeup' py '
import signal, time
def handler(*a): print("alarm", end=" ")
signal.signal(signal.SIGALRM, handler); signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(0.3)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]); signal.raise_signal(signal.SIGUSR1)
print("wakeup" if signal.sigwait([signal.SIGUSR1]) == signal.SIGUSR1 else "no")'
step files same '3 True b' py '
import os, pathlib, tempfile, shutil, fcntl, mmap
d = pathlib.Path(tempfile.mkdtemp()); [(d / n).write_text(n) for n in "abc"]
with open(d / "a", "r+b") as f:
    fcntl.lockf(f, fcntl.LOCK_EX); m = mmap.mmap(f.fileno(), 0); m[0:1] = b"b"; m.flush(); m.close()
print(len(os.listdir(d)), os.path.samefile(d, str(d) + "/."), (d / "a").read_text()); shutil.rmtree(d)'
step sqlite_module same '(4950,)' py '
import sqlite3
c = sqlite3.connect("db"); c.execute("create table t(a)"); c.executemany("insert into t values(?)", ((i,) for i in range(100))); c.commit()
print(c.execute("select sum(a) from t").fetchone())'
step terminals same tty py '
import pty, os
pid, fd = pty.fork()
if pid == 0: os.execvp("tty", ["tty"])
out = os.read(fd, 100).decode(); print("tty" if out.startswith("/dev/pts/") else out); os.waitpid(pid, 0)'
step big_sort same True py '
import random
x = [random.random() for _ in range(300000)]; y = sorted(x); print(all(a <= b for a, b in zip(y, y[1:])))'
step virtual_environment sh -c 'python3 -m venv --without-pip v && test "$(v/bin/python -c "import sys; print(sys.prefix != sys.base_prefix)")" = True'
finish
