"""Engines of one thread each that live, die, hang, are busy or work, for the watch to look at."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from provision.host.balancer.door import Door
from provision.host.bundle import (
    Bundle,
    Drain,
    Expectation,
    Instance,
    InstanceRuntime,
    Nginx,
    Probe,
    WatchSettings,
)
from provision.host.facts import Placed
from provision.host.files import Files
from provision.host.transaction.state import State, save_state
from provision.host.watch.watch import Watch

Mode = Literal["answer", "busy", "works", "hangs", "fails", "nonsense", "locked", "drips"]
METRICS = 'engine:requests_running {running}\nengine:tokens_total{{model="m"}} {tokens}\n'
QUICK = WatchSettings(
    interval_seconds=0.2, timeout_seconds=1.0, failures=2, successes=2, restart_seconds=None
)


@dataclass
class Engine:
    """A stand-in for an engine with counters.

    works: its counters grow and no token comes; hangs: nothing comes at all; drips: an answer
    without an end, a byte at a time.
    """

    port: int
    mode: Mode = "answer"
    asked: int = 0  # for tokens
    given: int = 0  # tokens
    counted: int = 0  # how often the counters were read
    _began: float = field(default_factory=time.monotonic)
    _server: socketserver.BaseServer | None = None

    def start(self) -> None:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name)
                """Nobody reads it."""

            def do_GET(self) -> None:
                engine.counted += 1
                engine.wait_while("hangs")
                running = int(engine.mode == "works")
                tokens = time.monotonic() - engine._began if running else 7
                self._send(200, METRICS.format(running=running, tokens=tokens).encode())

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                engine.asked += 1
                engine.wait_while("hangs", "works")
                if engine.mode == "drips":
                    self._drip()
                status = {"busy": 503, "fails": 500, "locked": 401}.get(engine.mode, 200)
                text = "" if engine.mode == "nonsense" else "x"
                engine.given += status == 200 and text == "x"
                self._send(status, json.dumps({"port": engine.port, "text": text}).encode())

            def _drip(self) -> None:
                deadline = time.monotonic() + 60
                with contextlib.suppress(OSError):
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                    while engine.mode == "drips" and time.monotonic() < deadline:
                        self.wfile.write(b".")
                        time.sleep(0.1)

            def _send(self, status: int, body: bytes) -> None:
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        server = Server(("127.0.0.1", self.port), Handler)
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Nobody listens any more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def wait_while(self, *modes: Mode) -> None:
        """Hold a request as long as it is in one of these modes, a minute at most."""
        deadline = time.monotonic() + 60
        while self.mode in modes and self._server and time.monotonic() < deadline:
            time.sleep(0.02)


@contextlib.contextmanager
def engines(*members: Engine) -> Iterator[None]:
    """All of them serving; those that were stopped meanwhile are fine."""
    for one in members:
        one.start()
    try:
        yield
    finally:
        for one in members:
            one.stop()


def instance_at(name: str, port: int, *, counters: bool = True) -> Instance:
    """An instance whose token and counters are asked for at a port."""
    here = f"http://127.0.0.1:{port}"
    token = Probe(f"{here}/v1/completions", "POST", body="{}", token_at=("text",))
    idle = Probe(f"{here}/metrics", timeout_seconds=5.0)
    drain = Drain(idle, "engine:requests_running", ("engine:tokens_total",))
    unit = f"vllm@{name}.service"
    return Instance(
        name=name,
        group=name.rsplit(".", 1)[0],
        engine="vllm",
        unit=unit,
        digest="d" * 64,
        runtime=InstanceRuntime(1, name, token=token),
        expectation=Expectation("vllm", port=port),
        placed=Placed(name, "vllm", unit, port=port, ports=(port,)),
        drain=drain if counters else Drain(),
    )


def save(files: Files, nginx: Nginx | None, *instances: Instance, **changes: object) -> None:
    """Commit what is to be watched, as an apply does."""
    bundle = Bundle(1, "box", "test", instances=instances, nginx=nginx, watch=QUICK)
    bundle = dataclasses.replace(bundle, **changes)  # type: ignore[arg-type]  # named by the tests
    save_state(files, State(State.VERSION, transaction="t" * 32, generation=1, bundle=bundle))


@contextlib.contextmanager
def watching(files: Files, door: Door | None = None) -> Iterator[Watch]:
    """The watch itself, in a thread; an error in it fails the test."""
    ended = threading.Event()
    errors: list[BaseException] = []
    one = Watch(files, door)

    def work() -> None:
        try:
            one.run(ended.is_set)
        except BaseException as error:  # noqa: BLE001 -- raised again below, in the test's thread
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        ended.set()
        thread.join(90)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


def health(files: Files, route: str = "") -> tuple[str, dict[str, object]]:
    """Which of the two health files there is, and what it holds; none: empty."""
    folder = f"/run/provision/health/{route}".rstrip("/")
    found = {
        name: text
        for name in ("ok", "unavailable")
        if (text := files.read(f"{folder}/{name}.json")) is not None
    }
    assert len(found) <= 1 or _settles(folder, files)
    if not found:
        return "", {}
    name, text = next(iter(found.items()))
    read: dict[str, object] = json.loads(text)
    return name, read


def _settles(folder: str, files: Files) -> bool:
    """Between two renames both are there; never for long."""
    time.sleep(0.2)
    names = [one for one in ("ok", "unavailable") if files.read(f"{folder}/{one}.json")]
    return len(names) == 1


def within(seconds: float, what: Callable[[], object]) -> float:
    """Wait until something is so, and how long that took; the test fails when it never is."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - began


def stays(seconds: float, what: Callable[[], object]) -> None:
    """Something is so all the while."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        assert what()
        time.sleep(0.02)


@contextlib.contextmanager
def process(port: int) -> Iterator[int]:
    """An engine in a process of its own; yields its pid and ends it by that."""
    line = [sys.executable, "-m", "tests.integration.watch_bed", str(port)]
    child = subprocess.Popen(line, cwd=Path(__file__).resolve().parents[2])
    try:
        yield child.pid
    finally:
        child.kill()
        child.wait(20)


if __name__ == "__main__":
    Engine(int(sys.argv[1])).start()
    time.sleep(300)  # a test that was killed leaves nothing behind for long
