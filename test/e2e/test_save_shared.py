"""Shared memory: what a save has kept is what a revival brings back, also when
the session went on and wrote to it. A write through a mapping shows in no
file time, so contents are compared."""

import sys

import harness
from rounds import all_gone, attach, revive_anew

PROGRAM = r'''
import multiprocessing as mp, sys
from multiprocessing import shared_memory

def work(lock, q, name, n):
    shm = shared_memory.SharedMemory(name)
    while True:
        job = q.get()
        if job is None:
            break
        with lock:
            shm.buf[0] = (shm.buf[0] + job) % 256
            n.value += job
        q.task_done()
    shm.close()

def square(x):
    return x * x

ctx = mp.get_context("fork")
shm = shared_memory.SharedMemory(create=True, size=4096)
lock, q, n = ctx.Lock(), ctx.JoinableQueue(), ctx.Value("i", 0)
ps = [ctx.Process(target=work, args=(lock, q, shm.name, n)) for _ in range(2)]
for p in ps:
    p.start()
pool = ctx.Pool(2)
total = 0
print("name", shm.name, "ready", flush=True)
for line in sys.stdin:
    if line.startswith("end"):
        break
    for i in range(1, 4):
        q.put(i)
        total += i
    q.join()
    squares = pool.map(square, range(20))
    with lock:
        ok = (n.value == total and shm.buf[0] == total
              and squares == [x * x for x in range(20)])
    print("round", line.strip(), "right" if ok else
          f"wrong: {n.value} {shm.buf[0]} {total}", flush=True)
for p in ps:
    q.put(None)
for p in ps:
    p.join()
pool.close()
pool.join()
shm.close()
shm.unlink()
'''


def _round(t, word):
    t.line(word)
    t.wait(f"round {word} ")
    assert f"round {word} right" in t.text, t.text


def _forget(name):
    for f in harness.Path("/dev/shm").glob(name + "*"):
        f.unlink()


def test_python_multiprocessing(sess):
    """Queue, Lock, Value, Pool and shared_memory: revived twice, then once
    more from a snapshot after which it went on."""
    script = sess.work / "multi.py"
    script.write_text(PROGRAM)
    t = attach(sess, "-c", "work", sys.executable, script)
    t.wait(" ready")
    name = t.text.split()[1]
    try:
        _round(t, "a")
        for word in "bc":
            t.detach()
            revive_anew(sess, "work")
            t = attach(sess, "-a", "work")
            _round(t, word)
        t.detach()
        sess.ok("-save", "work")
        t = attach(sess, "-a", "work")
        _round(t, "d")
        t.detach()
        sess.ok("-k", "work")
        all_gone(sess)
        sess.ok("-revive", "work")
        t = attach(sess, "-a", "work")
        assert list(harness.Path("/dev/shm").glob(name + ".sess-*"))
        _round(t, "e")
        t.line("end")
        assert t.wait_exit() == 0
    finally:
        _forget(name)
