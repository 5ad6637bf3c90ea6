"""Streaming clients in a loop: `python3 load.py URL OUT.jsonl --clients 8`. Standard library alone.

Every second client keeps its connection, the others open a new one for each request. Every request
has a name of its own in its prompt. A line of JSON for each stands in OUT once it is over: when it
was sent and ended, who served it, and its outcome, which is one of

    ok        status 200, every event well formed, as many pieces as asked for, [DONE], a proper end
    refused   no connection
    status    another status than 200
    cut       the connection ended before the answer did
    wrong     it ended in order, but pieces or [DONE] are missing, or are too many
    stalled   no byte came for the time that a client waits

SIGTERM lets the requests that run end and starts no more. Exit code 0: whatever the outcomes were.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import ssl
import sys
import time
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

CONNECT_SECONDS = 5.0
FEWEST_PIECES, MOST_PIECES = 8, 24  # of 100 ms each with the streaming engine
FAILURES_PAUSE_SECONDS = 0.2  # so that a dead server is not asked thousands of times


class FailedError(Exception):
    """A request that did not go well. outcome: as above."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome


class StaleError(Exception):
    """A kept connection was closed before one byte of an answer came."""


@dataclass
class Request:
    """One request as it went. Times are seconds since the epoch; served: as the events say it."""

    name: str
    kept: bool
    wanted: int
    began: float = field(default_factory=time.time)
    first: float | None = None
    ended: float = 0.0
    outcome: str = "ok"
    detail: str = ""
    pieces: int = 0
    served: str | None = None
    stale: int = 0  # times that it was sent anew, see StaleError


@dataclass(frozen=True)
class Asked:
    """What all requests of a run have in common."""

    url: urllib.parse.SplitResult
    patience: float
    fewest: int
    most: int
    pause: float
    by_usage: bool
    extra: dict[str, Any]
    key: str | None


class Connection:
    """HTTP/1.1 by hand, to see what libraries hide: how a connection ends, and when."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.used = False

    async def usable(self) -> bool:
        """Whether it stands; the end that the server may have sent meanwhile is looked at."""
        await asyncio.sleep(0)
        return self._reader is not None and not self._reader.at_eof()

    async def open(self) -> None:
        url, context = self._asked.url, None
        if url.scheme == "https":  # asked by address; who it is proves that it answers at all
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        opening = asyncio.open_connection(url.hostname, url.port, ssl=context)
        try:
            self._reader, self._writer = await asyncio.wait_for(opening, CONNECT_SECONDS)
        except (OSError, asyncio.TimeoutError) as error:
            raise FailedError("refused", repr(error)) from error
        self.used = False

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def send(self, request: Request, body: bytes) -> None:
        assert self._writer is not None
        url = self._asked.url
        lines = (
            f"POST {url.path} HTTP/1.1",
            f"Host: {url.netloc}",
            f"X-Request-Id: {request.name}",
            f"User-Agent: load/{request.name}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"Connection: {'keep-alive' if request.kept else 'close'}",
            *([f"Authorization: Bearer {self._asked.key}"] if self._asked.key else []),
        )
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self._within(self._writer.drain())

    async def head(self) -> tuple[int, dict[str, str]]:
        assert self._reader is not None
        try:
            raw = await self._within(self._reader.readuntil(b"\r\n\r\n"))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            nothing = not getattr(error, "partial", b"")
            if self.used and nothing:
                raise StaleError from error
            raise FailedError("cut", f"before the answer's head was there: {error!r}") from error
        first, *lines = raw.decode("latin-1").rstrip().split("\r\n")
        fields = (line.partition(":") for line in lines)
        self.used = True
        return int(first.split()[1]), {key.lower(): value.strip() for key, _, value in fields}

    async def body(self, headers: dict[str, str]) -> AsyncIterator[bytes]:
        """Pieces of the body; ends only where the body properly does."""
        assert self._reader is not None
        if headers.get("transfer-encoding") != "chunked":
            length = int(headers.get("content-length", "0"))
            yield await self._within(self._reader.readexactly(length))
            return
        while True:
            size = int((await self._within(self._reader.readuntil(b"\r\n"))).split(b";")[0], 16)
            piece = await self._within(self._reader.readexactly(size + 2))
            if size == 0:
                return
            yield piece[:-2]

    async def _within(self, waiting: Any) -> Any:
        try:
            return await asyncio.wait_for(waiting, self._asked.patience)
        except asyncio.TimeoutError as error:
            raise FailedError("stalled", f"no byte for {self._asked.patience} s") from error


async def exchange(connection: Connection, request: Request, asked: Asked) -> None:
    """Send a request and check every byte of its answer."""
    prompt = {"prompt": f"[request {request.name}]", "max_tokens": request.wanted, "stream": True}
    try:
        await connection.send(request, json.dumps({**prompt, **asked.extra}).encode())
    except ConnectionError as error:
        if connection.used:
            raise StaleError from error
        raise FailedError("cut", repr(error)) from error
    status, headers = await connection.head()
    request.first = time.time()
    text, done, counted = b"", False, None
    try:
        async for piece in connection.body(headers):
            text += piece
            if status != 200:
                continue
            *events, text = text.split(b"\n\n")
            for event in events:
                if done:
                    raise FailedError("wrong", f"after [DONE]: {event!r}")
                done = event == b"data: [DONE]"
                counted = counted if done else take(event, request) or counted
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise FailedError("cut", f"after {request.pieces} pieces: {error!r}") from error
    if status != 200:
        raise FailedError("status", f"{status} {text[:200].decode(errors='replace')}")
    if not done or text:
        raise FailedError("wrong", f"no [DONE] after {request.pieces} pieces: {text[:200]!r}")
    number = counted if asked.by_usage else request.pieces
    if number != request.wanted:
        raise FailedError("wrong", f"{number} pieces instead of {request.wanted}")
    if headers.get("connection") == "close":
        connection.close()


def take(event: bytes, request: Request) -> int | None:
    """Read one event; the number of tokens where it tells that."""
    try:
        value = json.loads(event.removeprefix(b"data: "))
        request.pieces += sum("text" in choice for choice in value.get("choices", ()))
    except (ValueError, AttributeError, TypeError) as error:
        raise FailedError("wrong", f"not an event: {event[:200]!r}") from error
    request.served = value.get("system_fingerprint") or request.served
    counted = (value.get("usage") or {}).get("completion_tokens")
    return counted if isinstance(counted, int) else None


async def ask(connection: Connection, request: Request, asked: Asked) -> None:
    """One request to its end. A stale connection is replaced once, as HTTP libraries do."""
    try:
        for _ in range(2):
            if not await connection.usable():
                connection.close()
                await connection.open()
            try:
                await exchange(connection, request, asked)
            except StaleError:
                request.stale += 1
                connection.close()
            else:
                break
        else:
            raise FailedError("cut", "two connections ended before a byte of the answer")
    except FailedError as error:
        request.outcome, request.detail = error.outcome, str(error)
        connection.close()
    if not request.kept:
        connection.close()
    request.ended = time.time()


async def client(
    name: str, number: int, asked: Asked, out: TextIO, stopping: asyncio.Event
) -> None:
    chance = random.Random(number)
    connection = Connection(asked)
    count = 0
    while not stopping.is_set():
        wanted = chance.randint(asked.fewest, asked.most)
        request = Request(f"{name}-{number}-{count}", kept=number % 2 == 1, wanted=wanted)
        await ask(connection, request, asked)
        out.write(json.dumps(asdict(request)) + "\n")
        count += 1
        pause = chance.uniform(0, asked.pause)
        await asyncio.sleep(pause if request.outcome == "ok" else FAILURES_PAUSE_SECONDS)
    connection.close()


async def run(asked: Asked, name: str, clients: int, out: TextIO) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    everyone = (client(name, number, asked, out, stopping) for number in range(clients))
    await asyncio.gather(*everyone)


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("url", type=urllib.parse.urlsplit)
    parser.add_argument("out", type=Path)
    parser.add_argument("--name", default="load", help="in front of the names of all requests")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--patience", type=float, default=20.0, help="seconds without a byte")
    parser.add_argument("--pieces", type=int, nargs=2, default=(FEWEST_PIECES, MOST_PIECES))
    parser.add_argument("--pause", type=float, default=0.1, help="longest between two requests")
    parser.add_argument("--by-usage", action="store_true", help="count tokens as `usage` says")
    parser.add_argument("--extra", type=json.loads, default={}, help="more of the request's body")
    parser.add_argument("--key", help="API key")
    given = parser.parse_args()
    fewest, most = given.pieces
    asked = Asked(
        given.url,
        given.patience,
        fewest,
        most,
        given.pause,
        given.by_usage,
        given.extra,
        given.key,
    )
    with given.out.open("w", buffering=1) as out:
        asyncio.run(run(asked, given.name, given.clients, out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
