"""Stand-ins for engines: HTTP servers that answer, stream, hang up or say that they are busy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["answer", "busy", "stream", "hold", "flood", "reset"]
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
    body: bytes = b""  # without a long end


@dataclass
class Backend:
    """A stand-in for an engine: HTTP/1.1 with kept connections, behaving as `mode` says."""

    port: int
    mode: Mode = "answer"
    delay_seconds: float = 0.0
    held: threading.Event | None = None  # instead of the delay: works on all until this is set
    idle_seconds: float = 30.0  # after which it closes an idle connection
    tls: ssl.SSLContext | None = None
    status: str = "200 OK"  # of mode answer
    most_at_once: int = 0  # requests that were worked on at the same time
    at_work: int = 0
    seen: list[Seen] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    taken: int | None = None  # pieces that a client has: mode stream waits for it with each
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
                self.at_work += 1
                self.most_at_once = max(self.most_at_once, self.at_work)
                try:
                    if not await self._answer(seen, writer):
                        break
                finally:
                    self.at_work -= 1
        writer.close()

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is kept."""
        if self.mode == "reset":
            return False
        if self.mode == "busy":
            return await _plain(writer, "503 Service Unavailable", {"error": "busy"})
        if self.mode == "answer":
            await self._work()
            told = {"port": self.port, "path": seen.path, "body_bytes": seen.body_bytes}
            return await _plain(writer, self.status, told)
        await self._stream(writer)
        return True

    async def _work(self) -> None:
        if self.held is None:
            await asyncio.sleep(self.delay_seconds)
        while self.held is not None and not self.held.is_set():
            await asyncio.sleep(0.005)

    async def _pause(self, sent: int) -> None:
        if self.taken is None:
            await asyncio.sleep(PAUSE_SECONDS)
        while self.taken is not None and self.taken < sent:
            await asyncio.sleep(0.001)

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
                await self._work()
            else:
                for number in range(PIECES):
                    self.sent_at.append(time.monotonic())
                    await _chunk(writer, f"data: {number}\n\n".encode())
                    await self._pause(number + 1)
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
    return Seen(method, path, headers, len(body), body[:4096])


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
            await asyncio.start_server(one.serve, "127.0.0.1", one.port, backlog=512, ssl=one.tls)
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
