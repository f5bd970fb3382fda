"""Servers with their clients in one session, and programs that are servers
themselves, saved, gone, revived: the client's old connection goes on, and a
new one is taken."""

import re
import shutil

import pytest

import harness
from asker import Asker, free_port
from rounds import attach, revive_anew, running, three_rounds

ROUNDS = 2


def _need(program):
    path = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


HTTP = "GET /n HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"


def _go_on(sess, beside, where, request, end, wanted):
    """WANTED: what the answer is in round N, the same on both connections."""
    p = Asker(sess, f"c = begin({where!r})", beside=beside)
    for n in range(ROUNDS + 1):
        p.do(f"a = answer(c, '{request}', '{end}')", n)
        p.ask(f"{n}, {wanted}", f"{n} True")
        if n < ROUNDS:
            p.again()
    p.do(f"d = begin({where!r}); a = answer(d, '{request}', '{end}')")
    p.ask(f"'new', {wanted}", "new True")


ASYNCIO = """
import asyncio, sys
async def serve(r, w):
    n = 0
    while line := await r.readline():
        n += 1
        w.write(line)
        await w.drain()
async def main():
    s = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    async with s: await s.serve_forever()
asyncio.run(main())
"""


def test_asyncio(sess):
    port = free_port()
    (sess.work / "serve.py").write_text(ASYNCIO)
    _go_on(
        sess,
        f"/usr/bin/python3 serve.py {port} &",
        ("127.0.0.1", port),
        "hello\\n",
        "\\n",
        "a == 'hello\\n'",
    )


def test_http_server(sess):
    port = free_port()
    (sess.work / "n").write_text("the file")
    _go_on(
        sess,
        f"/usr/bin/python3 -m http.server -p HTTP/1.1 -b 127.0.0.1 {port}"
        " 2>/dev/null &",
        ("127.0.0.1", port),
        HTTP,
        "the file",
        "'200' in a",
    )


def test_nginx(sess):
    nginx, port = _need("nginx"), free_port()
    (sess.work / "n").write_text("the file")
    (sess.work / "nginx.conf").write_text(
        f"daemon off; pid {sess.work}/pid; error_log {sess.work}/log;"
        "worker_processes 2; events {} http {"
        + "".join(
            f"{kind}_temp_path {sess.work}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        + "access_log off; keepalive_timeout 1h; server {"
        f"listen 127.0.0.1:{port}; root {sess.work}; }} }}"
    )
    if sess.user.is_root:
        # Its workers are not root, and want to see the file.
        sess.work.parent.chmod(0o755)
        sess.work.chmod(0o755)
    _go_on(
        sess,
        f"{nginx} -p {sess.work} -e {sess.work}/log -c {sess.work}/nginx.conf"
        " &",
        ("127.0.0.1", port),
        HTTP,
        "the file",
        "'200' in a",
    )


def test_redis(sess):
    redis, port = _need("redis-server"), free_port()
    p = Asker(
        sess,
        f"c = begin(('127.0.0.1', {port}))",
        beside=f"{redis} --port {port} --save '' --dir {sess.work} >/dev/null &",
    )
    for n in range(1, ROUNDS + 2):
        p.ask("answer(c, 'INCR n\\r\\n', '\\r\\n').strip()", f":{n}")
        if n <= ROUNDS:
            p.again()


GO = """
package main
import ("fmt"; "net"; "os"; "bufio"; "sync/atomic"; "time")
func main() {
	l, err := net.Listen("tcp", "127.0.0.1:" + os.Args[1])
	if err != nil { panic(err) }
	var ticks int64
	for i := 0; i < 50; i++ {
		go func() { for { time.Sleep(5*time.Millisecond); atomic.AddInt64(&ticks, 1) } }()
	}
	for {
		c, err := l.Accept()
		if err != nil { panic(err) }
		go func() {
			r := bufio.NewReader(c)
			for {
				if _, err := r.ReadString('\\n'); err != nil { return }
				was := atomic.LoadInt64(&ticks)
				for atomic.LoadInt64(&ticks) == was { time.Sleep(time.Millisecond) }
				fmt.Fprintf(c, "ticking\\n")
			}
		}()
	}
}
"""


def test_go(sess):
    """Goroutines, timers and a listener, statically linked."""
    go, port = _need("go"), free_port()
    (sess.work / "main.go").write_text(GO)
    env = {"CGO_ENABLED": "0", "GOCACHE": str(sess.work / "cache"),
           "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
    r = sess.command([go, "build", "-o", "served", "main.go"], env=env,
                     timeout=300)
    assert r.status == 0, r
    _go_on(
        sess,
        f"./served {port} &",
        ("127.0.0.1", port),
        "x\\n",
        "\\n",
        "a == 'ticking\\n'",
    )


def test_tmux(sess):
    """The session's command is a client of tmux, whose server is a daemon;
    two windows, one of two panes."""
    _need("tmux")
    env = {"TMUX_TMPDIR": str(sess.work)}
    (sess.work / "conf").write_text(
        "set -g default-command \"PS1='ok> ' exec dash\"\n"
        "set -g assume-paste-time 0\n"  # a test types fast
    )
    t = attach(sess, "-c", "work", "tmux", "-f", "conf", "new", "-s", "m",
               env=env)
    t.wait("ok>")
    t.line("kept=first")
    t.line("tmux new-window \"PS1='new> ' kept=second exec dash\"")
    t.wait("new>")
    t.line("tmux split-window -h cat")
    t.wait("\u2502")
    t.send("piped\r")
    t.wait(lambda t: t.text.count("piped") == 2)

    def look(t, n):
        """From the pane of cat to its neighbour, to the first window, back."""
        t.wait(lambda t: t.text.count("piped") == 2)
        t.send(f"line-{n}\r")
        t.wait(lambda t: t.text.count(f"line-{n}") == 2)
        t.send("\x02o")
        t.line(f"echo $kept-{n}; tmux list-windows | sed s/:.*/:{n}/")
        t.wait(f"second-{n}")
        t.wait(lambda t: f"0:{n}" in t.text and f"1:{n}" in t.text)
        t.send("\x020")
        t.line(f"echo $kept-{n}")
        t.wait(f"first-{n}")
        t.send("\x021\x02o")

    t = three_rounds(sess, "work", t, look)
    t.send("\x02o")
    t.line("tmux kill-server")
    assert t.wait_exit() >= 0
    harness.wait_until(lambda: not running(sess, "tmux"))


def test_tmux_server_alone(sess):
    """Only a daemon is left of it, and another client comes after revival."""
    _need("tmux")
    env = {"TMUX_TMPDIR": str(sess.work)}
    t = attach(sess, "-c", "work", "bash", "--norc", env=env)
    t.line("tmux -f /dev/null new -d -s m 'exec cat'; echo made-$?")
    t.wait("made-0")
    for n in range(ROUNDS):
        t.detach()
        revive_anew(sess, "work")
        t = attach(sess, "-a", "work")
        t.line(f"tmux send-keys -t m 'here-{n}' Enter")
        t.line("clear; tmux capture-pane -p -t m | sort -u; tmux ls; echo over")
        t.wait(lambda t: f"here-{n}" in t.text and "m: 1 windows" in t.text)
