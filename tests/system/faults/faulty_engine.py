#!/usr/bin/python3 -IS
"""A server with the face of llama-server that misbehaves as FAULT in its environment says.

    no-token       /health is fine, but not one token comes
    one-token      it dies as soon as its first token is sent
    five-seconds   it works for so long, then it dies; on a slow machine not before its first token
    deaf           it works and ignores SIGTERM, until the file DIES_AT exists: then it dies
    never          it listens and never gets ready

Everything but serving is done by the real program: versions, help.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REAL = "/usr/local/bin/llama-server"
FAULT = os.environ.get("FAULT", "")
DIES_AT = Path("/run/faults/die")
LIVES_SECONDS = 5
AFTER_TOKEN_SECONDS = 3  # at least: less than an apply waits
asked = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/health":
            loading = FAULT == "never"
            self._json(503 if loading else 200, {"status": "loading" if loading else "ok"})
        elif self.path == "/metrics":
            self._send(200, b"llamacpp:requests_processing 0\n", "text/plain")
        else:
            self._json(200, {"data": []})

    def do_POST(self) -> None:
        asked.set()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        count = 0 if FAULT == "no-token" else 1
        text = "x" * count
        choice = {"text": text, "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 1, "completion_tokens": count}
        self._json(200, {"choices": [choice], "usage": usage})
        if FAULT == "one-token":
            self.wfile.flush()
            os._exit(3)

    def _json(self, status: int, value: object) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def die_when_told() -> None:
    while not DIES_AT.exists():
        time.sleep(0.1)
    print("faulty engine: dying, as it was told", file=sys.stderr, flush=True)
    os._exit(3)


def die_after_five_seconds() -> None:
    dies = time.monotonic() + LIVES_SECONDS
    asked.wait()
    time.sleep(max(AFTER_TOKEN_SECONDS, dies - time.monotonic()))
    print("faulty engine: dying after five seconds", file=sys.stderr, flush=True)
    os._exit(3)


def main() -> None:
    words = sys.argv[1:]
    if "--model" not in words:
        os.execv(REAL, [REAL, *words])
    if FAULT == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        threading.Thread(target=die_when_told, daemon=True).start()
    if FAULT == "five-seconds":
        threading.Thread(target=die_after_five_seconds, daemon=True).start()
    port = int(words[words.index("--port") + 1])
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
