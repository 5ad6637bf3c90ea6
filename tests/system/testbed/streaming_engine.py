#!/usr/bin/python3 -IS
"""A stand-in for llama-server (it is not llama.cpp) whose answers last: for tests under load.

The tiny model of the test hosts answers in milliseconds; here a piece comes every 100 ms, so that
restarts meet running streams. It keeps a record of every generation, so that cut and doubled ones
are found. `binary:` of a llama-server instance leads here; an option that the tests' units do not
render is refused.

It is a hard engine on purpose: SIGTERM kills it with all its streams, nothing is finished first.
Only who drains it loses nothing.

In FOLDER, by its port: PORT.jsonl the record, PORT.alive touched while it runs, and PORT.503, made
by a test: while it is there every completion is answered with 503.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fake_http import BadRequestError, Handler, Running, Server
else:
    sys.path.insert(0, "/usr/local/lib/testbed")  # where build.sh puts it on the hosts
    from fake_http import BadRequestError, Handler, Running, Server

FOLDER = Path("/var/lib/llama-server/streaming")
BUILD = "version: 11549 (abcdef1)\nbuilt with a test's own hands"
PIECE_SECONDS = 0.1
HEARTBEAT_SECONDS = 0.05
PATHS = ("/v1/completions", "/v1/chat/completions")
# The name that the load client gives a request; probes have none.
NAMED = re.compile(r"\[request ([\w-]+)\]")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="llama-server", allow_abbrev=False)
    top.add_argument("--version", action="store_true")
    top.add_argument("--model", type=Path)
    top.add_argument("--host", default="127.0.0.1")
    top.add_argument("--port", type=int, default=8080)
    for name in ("--ctx-size", "--parallel", "--threads", "--threads-batch", "--n-gpu-layers"):
        top.add_argument(name, type=int)
    top.add_argument("--metrics", action="store_true")
    return top


class Record:
    """One line of JSON an event, on disk before what it tells of happens."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._file = (FOLDER / f"{port}.jsonl").open("a", buffering=1)
        self._lock = threading.Lock()
        self._number = 0

    def write(self, event: str, request: str | None = None, number: int | None = None) -> None:
        line = {
            "at": time.time(),
            "event": event,
            "request": request,
            "number": number,
            "port": self._port,
            "pid": os.getpid(),
        }
        with self._lock:
            self._file.write(json.dumps(line) + "\n")

    def next_number(self) -> int:
        with self._lock:
            self._number += 1
            return self._number


class Engine(Handler):
    port = 0
    record: Record
    running = Running()
    decoded = 0

    def do_GET(self) -> None:  # noqa: N802 (its name there)
        path = self.path.split("?")[0]
        if path in ("/health", "/v1/health"):
            self.json(200, {"status": "ok"})
        elif path == "/v1/models":
            self.json(200, {"object": "list", "data": [{"id": "streaming", "object": "model"}]})
        elif path == "/metrics":
            values = {"requests_processing": self.running.count, "requests_deferred": 0}
            lines = [f"# TYPE llamacpp:{k} gauge\nllamacpp:{k} {v}" for k, v in values.items()]
            lines.append(
                f"# TYPE llamacpp:n_decode_total counter\nllamacpp:n_decode_total {self.decoded}"
            )
            self.text(200, "\n".join(lines) + "\n", "text/plain; version=0.0.4")
        else:
            self.json(404, {"error": {"message": "File Not Found", "code": 404}})

    def do_POST(self) -> None:  # noqa: N802 (its name there)
        try:
            request = self.body()
            pieces = int(request.get("max_tokens") or 8)
            prompt = str(request.get("prompt") or request.get("messages") or "")
        except (BadRequestError, TypeError, ValueError) as error:
            self.json(400, {"error": {"message": str(error), "code": 400}})
            return
        named = NAMED.search(prompt)
        name = named.group(1) if named else None
        if self.path.split("?")[0] not in PATHS:
            self.json(404, {"error": {"message": "File Not Found", "code": 404}})
        elif (FOLDER / f"{self.port}.503").exists():
            self.record.write("refused", name)
            self.json(503, {"error": {"message": "no slot is free", "code": 503}})
        else:
            with self.running:
                self.generate(name, pieces, bool(request.get("stream")))

    def generate(self, name: str | None, pieces: int, stream: bool) -> None:
        number = self.record.next_number()
        self.record.write("start", name, number)
        try:
            if stream:
                self.stream("text/event-stream; charset=utf-8", self.events(pieces))
            else:
                said = "".join(self.words(pieces))
                usage = {"prompt_tokens": 1, "completion_tokens": pieces}
                choice = {"index": 0, "text": said, "finish_reason": "length"}
                self.json(200, {"object": "text_completion", "choices": [choice], "usage": usage})
        except OSError:  # whoever asked has gone: a real engine stops generating, too
            self.record.write("cut", name, number)
            self.close_connection = True
        else:
            self.record.write("end", name, number)

    def words(self, pieces: int) -> Iterator[str]:
        for number in range(pieces):
            time.sleep(PIECE_SECONDS)
            Engine.decoded += 1
            yield f" {number}"

    def events(self, pieces: int) -> Iterator[str]:
        """Each event says who served it."""
        served = f"{self.port}/{os.getpid()}"
        for number, word in enumerate(self.words(pieces), 1):
            finish = "length" if number == pieces else None
            event: dict[str, Any] = {
                "object": "text_completion",
                "system_fingerprint": served,
                "choices": [{"index": 0, "text": word, "finish_reason": finish}],
            }
            yield f"data: {json.dumps(event)}\n\n"
        yield "data: [DONE]\n\n"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        """Nothing: the record says it."""


def beat(path: Path) -> None:
    """Show until when this process lived, however it ends."""
    path.touch()
    while True:
        os.utime(path)
        time.sleep(HEARTBEAT_SECONDS)


def main() -> int:
    options = parser().parse_args()
    if options.version:
        print(BUILD, file=sys.stderr)
        return 0
    if options.model is None or not options.model.is_file():
        print(f"error: failed to load model {options.model}", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    Engine.port = options.port
    Engine.record = Record(options.port)
    Engine.record.write("boot")
    alive = FOLDER / f"{options.port}.{os.getpid()}.alive"
    threading.Thread(target=beat, args=(alive,), daemon=True).start()
    Server((options.host, options.port), Engine).serve_forever(poll_interval=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
