"""What the stand-ins for Ollama and vLLM share: a small HTTP/1.1 server with streamed answers.

Standard library alone; it stands beside them on the hosts. PROVISION_TEST_TOKEN_SECONDS is the time
a "token" takes (for tests that need a request to last), PROVISION_TEST_LOAD_SECONDS that of a load.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN_SECONDS = float(os.environ.get("PROVISION_TEST_TOKEN_SECONDS", "0"))
LOAD_SECONDS = float(os.environ.get("PROVISION_TEST_LOAD_SECONDS", "0"))
WORDS = ("This", " is", " not", " a", " model", ".")


class BadRequestError(Exception):
    pass


class Running:
    """How many requests are being answered."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.count += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.count -= 1


def tokens(limit: object) -> Iterator[str]:
    """As many words as the request allows, each at its time."""
    wanted = limit if isinstance(limit, int) and limit > 0 else len(WORDS)
    for number in range(wanted):
        if TOKEN_SECONDS:
            time.sleep(TOKEN_SECONDS)
        yield WORDS[number % len(WORDS)]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    """Answers in JSON, whole or streamed. Subclasses have do_GET and do_POST."""

    protocol_version = "HTTP/1.1"

    def body(self) -> dict[str, Any]:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            value = json.loads(raw or b"{}")
        except ValueError as error:
            raise BadRequestError(str(error)) from error
        if not isinstance(value, dict):
            raise BadRequestError("not an object")
        return value

    def text(self, status: int, said: str, kind: str = "text/plain; charset=utf-8") -> None:
        data = said.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def json(self, status: int, value: object) -> None:
        self.text(status, json.dumps(value), "application/json; charset=utf-8")

    def stream(self, kind: str, pieces: Iterator[str]) -> None:
        """Each piece as a chunk of its own, as soon as it is there."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            data = piece.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def completion(self, request: dict[str, Any], model: str, chat: bool) -> None:
        """An answer of OpenAI's /v1/chat/completions or /v1/completions."""
        limit = request.get("max_completion_tokens") or request.get("max_tokens")
        head = {"id": f"standin-{time.monotonic_ns()}", "created": int(time.time()), "model": model}
        kind = "chat.completion" if chat else "text_completion"
        if not request.get("stream"):
            words = list(tokens(limit))
            said = "".join(words)
            content = (
                {"message": {"role": "assistant", "content": said}} if chat else {"text": said}
            )
            usage = {"prompt_tokens": 1, "completion_tokens": len(words)}
            usage["total_tokens"] = sum(usage.values())
            choice = {"index": 0, **content, "finish_reason": "length"}
            self.json(200, {**head, "object": kind, "choices": [choice], "usage": usage})
            return

        def pieces() -> Iterator[str]:
            def event(content: dict[str, Any], finish: str | None) -> str:
                choice = {"index": 0, **content, "finish_reason": finish}
                whole = {**head, "object": f"{kind}.chunk" if chat else kind, "choices": [choice]}
                return f"data: {json.dumps(whole)}\n\n"

            if chat:
                yield event({"delta": {"role": "assistant", "content": ""}}, None)
            for word in tokens(limit):
                yield event({"delta": {"content": word}} if chat else {"text": word}, None)
            yield event({"delta": {}} if chat else {"text": ""}, "length")
            yield "data: [DONE]\n\n"

        self.stream("text/event-stream; charset=utf-8", pieces())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        print(format % args, flush=True)
