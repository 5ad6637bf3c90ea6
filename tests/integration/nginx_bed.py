"""A real nginx on loopback with our rendered configuration, and stub servers behind it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from provision.host.bundle import Bundle
from provision.host.files import Files
from provision.host.secrets import key_map_artifact

Mode = Literal["answer", "busy", "stream", "hold", "flood", "reset"]
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
PIECES = 10
PAUSE_SECONDS = 0.1
_FLOOD_CHUNK = b"x" * 65536
_FLOOD_CHUNKS = 1024  # 64 MiB, far more than sockets hold


@dataclass
class Seen:
    """One request as a backend got it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body_bytes: int


@dataclass
class Backend:
    """A stand-in for an engine: HTTP/1.1 with kept connections, behaving as `mode` says."""

    port: int
    mode: Mode = "answer"
    delay_seconds: float = 0.0
    idle_seconds: float = 30.0  # after which it closes an idle connection
    seen: list[Seen] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    sent_bytes: int = 0
    open_streams: int = 0
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        ends = (ConnectionError, asyncio.IncompleteReadError, asyncio.TimeoutError)
        with contextlib.suppress(*ends, asyncio.CancelledError):
            while True:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self.idle_seconds)
                seen = await _request(head, reader)
                self.seen.append(seen)
                if not await self._answer(seen, writer):
                    break
        writer.close()

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is kept."""
        if self.mode == "reset":
            return False
        if self.mode == "busy":
            return await _plain(writer, "503 Service Unavailable", {"error": "busy"})
        if self.mode == "answer":
            await asyncio.sleep(self.delay_seconds)
            told = {"port": self.port, "path": seen.path, "body_bytes": seen.body_bytes}
            return await _plain(writer, "200 OK", told)
        await self._stream(writer)
        return True

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        self.open_streams += 1
        try:
            if self.mode == "flood":
                for _ in range(_FLOOD_CHUNKS):
                    await _chunk(writer, _FLOOD_CHUNK)
                    self.sent_bytes += len(_FLOOD_CHUNK)
            elif self.mode == "hold":
                await _chunk(writer, f"data: {self.port}\n\n".encode())
                await asyncio.sleep(self.delay_seconds)
            else:
                for number in range(PIECES):
                    self.sent_at.append(time.monotonic())
                    await _chunk(writer, f"data: {number}\n\n".encode())
                    await asyncio.sleep(PAUSE_SECONDS)
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        finally:
            self.open_streams -= 1


async def _request(head: bytes, reader: asyncio.StreamReader) -> Seen:
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    pairs = (line.split(":", 1) for line in lines[1:] if line)
    headers = {name.lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, path, headers, len(body))


async def _plain(writer: asyncio.StreamWriter, status: str, body: object) -> bool:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    await writer.drain()
    return True


async def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()


@contextlib.contextmanager
def backends(*members: Backend) -> Iterator[None]:
    """All of them serving, in one thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> list[asyncio.Server]:
        return [
            await asyncio.start_server(one.serve, "127.0.0.1", one.port, backlog=512)
            for one in members
        ]

    async def stop(servers: list[asyncio.Server]) -> None:
        for server in servers:
            server.close()
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    servers = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(stop(servers), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def lay_out(bundle: Bundle, folder: Path, *, workers: int = 4, keys: tuple[str, ...] = ()) -> Path:
    """The bundle's nginx files below a folder of their own, and a main file that includes them.

    Only the folder is changed in what was rendered. Returns the main file.
    """
    for artifact in bundle.artifacts:
        if artifact.path.startswith("/etc/nginx/"):
            path = folder / artifact.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(artifact.content.replace("/etc/nginx/", f"{folder}/etc/nginx/"))
    for one in bundle.key_maps:
        owners = folder / one.source.lstrip("/")
        owners.parent.mkdir(parents=True, exist_ok=True)
        owners.write_text("# our keys\n" + "\n".join(keys) + "\n")
        made = key_map_artifact(Files(folder), one)
        (folder / made.path.lstrip("/")).write_text(made.content)
    (folder / "temp").mkdir()
    temporary = "\n".join(
        f"    {kind}_temp_path {folder}/temp/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        f"worker_processes {workers};\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        + ("user root;\n" if os.geteuid() == 0 else "")
        + "events { worker_connections 512; }\n"
        + f"http {{\n    access_log off;\n{temporary}\n"
        + f"    include {folder}/etc/nginx/conf.d/*.conf;\n}}\n"
    )
    return main


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
