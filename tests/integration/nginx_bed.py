"""A real nginx on loopback with our rendered configuration."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision.host.bundle import Bundle
from provision.host.files import Files
from provision.host.secrets import key_header_artifact, key_map_artifact

from .backend import PAUSE_SECONDS as PAUSE_SECONDS
from .backend import PIECES as PIECES
from .backend import Backend as Backend
from .backend import backends as backends

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
_FOLDERS = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules")
NJS = next(
    (path for one in _FOLDERS if (path := Path(one, "ngx_http_js_module.so")).is_file()), None
)


# Below those that Linux gives to connections (ip_local_port_range), of which one could be taken
# again before a server of the test has it; each process of tests goes through them from elsewhere.
_PORTS = range(10000, 32000)
_next_port = itertools.count(os.getpid() * 1409)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    candidates = (_PORTS[number % len(_PORTS)] for number in _next_port)
    return list(itertools.islice(filter(_is_free, candidates), count))


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def lay_out(
    bundle: Bundle,
    folder: Path,
    *,
    workers: int = 4,
    keys: tuple[str, ...] = (),
    resolver: str = "127.0.0.1:1",
) -> Path:
    """The bundle's nginx files below a folder of their own, and a main file that includes them.

    Only the folders are changed in what was rendered. resolver: the name server that is asked.
    Returns the main file.
    """
    for artifact in bundle.artifacts:
        if artifact.path.startswith("/etc/nginx/"):
            _put(folder, artifact.path, moved(artifact.content, folder))
    sources = [one.source for one in bundle.key_maps]
    sources += [one.source for one in bundle.key_headers]
    for source in sources:
        _put(folder, source, "# our keys\n" + "\n".join(keys) + "\n")
    made = [key_map_artifact(Files(folder), one) for one in bundle.key_maps]
    made += [key_header_artifact(Files(folder), one) for one in bundle.key_headers]
    for secret in made:
        _put(folder, secret.path, secret.content)
    if bundle.nginx and bundle.nginx.resolver:
        _put(
            folder, bundle.nginx.resolver, f"resolver {resolver} ipv6=off;\nresolver_timeout 2s;\n"
        )
    (folder / "var/log/nginx").mkdir(parents=True)
    (folder / "run/provision/health").mkdir(parents=True)
    (folder / "temp").mkdir()
    temporary = "\n".join(
        f"    {kind}_temp_path {folder}/temp/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        (f"load_module {NJS};\n" if bundle.nginx and bundle.nginx.modules else "")
        + f"worker_processes {workers};\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        + ("user root;\n" if os.geteuid() == 0 else "")
        + "events { worker_connections 512; }\n"
        + f"http {{\n    access_log off;\n{temporary}\n"
        + f"    include {folder}/etc/nginx/conf.d/*.conf;\n}}\n"
    )
    return main


def moved(content: str, folder: Path) -> str:
    """What was rendered, with the folders of the host below another one."""
    for one in ("/etc/nginx/", "/run/provision/", "/var/log/nginx/"):
        content = content.replace(one, f"{folder}{one}")
    return content


def _put(folder: Path, path: str, content: str) -> None:
    target = folder / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content)


def reload(pid: int, main: Path) -> None:
    """SIGHUP to the master, and a wait until the workers of before no longer accept."""
    before = _accepting(pid)
    os.kill(pid, signal.SIGHUP)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        now = _accepting(pid)
        if now and not now & before:
            return
        time.sleep(0.005)
    raise AssertionError(f"nginx did not reload: {(main.parent / 'error.log').read_text()}")


def _accepting(master: int) -> set[int]:
    """Workers that are not on their way out."""
    found: set[int] = set()
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    for pid in children:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if b"worker process\0" in Path(f"/proc/{pid}/cmdline").read_bytes() + b"\0":
                found.add(int(pid))
    return found


def log_lines(folder: Path, path: str, count: int) -> list[dict[str, Any]]:
    """The objects of an access log, once there are as many: nginx writes them after the answer."""
    log = folder / path.lstrip("/")
    deadline = time.monotonic() + 10
    while log.read_text().count("\n") < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return [json.loads(line) for line in log.read_text().splitlines()]


def check(main: Path, dump: bool = False) -> subprocess.CompletedProcess[str]:
    """`nginx -t` (or -T) on a laid out configuration."""
    assert NGINX
    return subprocess.run(
        [NGINX, "-T" if dump else "-t", "-q", "-p", str(main.parent), "-c", str(main)],
        capture_output=True,
        text=True,
        check=False,
    )


@contextlib.contextmanager
def running(main: Path, port: int) -> Iterator[int]:
    """nginx as a child process that serves; yields its pid and ends it by that."""
    assert NGINX
    said = main.parent / "stderr"
    with said.open("w") as stderr:
        process = subprocess.Popen(
            [NGINX, "-p", str(main.parent), "-c", str(main), "-g", "daemon off;"], stderr=stderr
        )
    try:
        _wait_for(port, process, said)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int, process: subprocess.Popen[bytes], said: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, said.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"nginx does not listen on {port}: {said.read_text()}")


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body)
        return found


def ask(
    port: int,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    address: str = "127.0.0.1",
    source: str | None = None,
) -> Answer:
    """One request on a connection of its own: POST when there is a body."""
    client = http.client.HTTPConnection(
        address, port, timeout=30, source_address=(source, 0) if source else None
    )
    try:
        client.request("GET" if body is None else "POST", path, body, dict(headers or {}))
        answer = client.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, answer.read(), names)
    finally:
        client.close()


def ask_at_once(
    count: int, refused: int, held: threading.Event, one: Callable[[], Answer]
) -> list[Answer]:
    """So many requests beside each other; those that are worked on end when all others are refused.

    held: what the backends wait for.
    """
    with ThreadPoolExecutor(count) as pool:
        asked = {pool.submit(one) for _ in range(count)}
        deadline = time.monotonic() + 30
        while sum(each.done() for each in asked) < refused and time.monotonic() < deadline:
            wait((each for each in asked if not each.done()), 1, FIRST_COMPLETED)
        held.set()
        return [each.result() for each in asked]


def stream_taken_piece_by_piece(
    engine: Backend, port: int, path: str, body: bytes
) -> tuple[Mapping[str, str], list[float]]:
    """A stream whose engine sends a piece when the client has the one before, so nobody buffers it.

    Returns the headers of the answer and when each piece arrived.
    """
    engine.taken = 0
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        client.request("POST", path, body)
        answer = client.getresponse()
        arrived = []
        while piece := answer.read1():
            assert piece.count(b"data:") == 1
            arrived.append(time.monotonic())
            engine.taken += 1
        return dict(answer.getheaders()), arrived
    finally:
        client.close()
