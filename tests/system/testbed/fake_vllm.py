#!/opt/vllm/bin/python3 -I
"""A stand-in for vLLM 0.33 (it is not vLLM): `vllm serve`, its refusals and its HTTP API.

It stands in a virtual environment, as vLLM does. It keeps to what a unit, a proxy and a verifier
can notice: options it does not know are refused with exit 2; the port is bound at the start but
refuses connections until the model is there; the API key guards /v1 alone; SIGTERM drains for
--shutdown-timeout seconds. A small part of the real options is known.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fake_http import LOAD_SECONDS, BadRequestError, Handler, Running, Server
else:
    sys.path.insert(0, "/usr/local/lib/testbed")  # where build.sh puts it on the hosts
    from fake_http import LOAD_SECONDS, BadRequestError, Handler, Running, Server

VERSION = "0.33.0"
WHOLE_NUMBERS = (
    *("--port", "--seed", "--block-size", "--nnodes", "--node-rank", "--master-port"),
    *("--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size"),
    *("--data-parallel-size-local", "--data-parallel-rank", "--data-parallel-rpc-port"),
    *("--decode-context-parallel-size", "--prefill-context-parallel-size"),
    *("--api-server-count", "--max-num-seqs", "--max-num-batched-tokens", "--max-loras"),
    *("--max-lora-rank", "--max-cpu-loras", "--max-logprobs", "--num-gpu-blocks-override"),
    *("--max-parallel-loading-workers", "--stream-interval", "--shutdown-timeout"),
)
FRACTIONS = ("--gpu-memory-utilization", "--cpu-offload-gb")
WORDS = (
    *("--host", "--uds", "--root-path", "--dtype", "--quantization", "--kv-cache-dtype"),
    *("--kv-cache-memory-bytes", "--load-format", "--download-dir", "--revision"),
    *("--tokenizer", "--tokenizer-mode", "--chat-template", "--generation-config"),
    *("--override-generation-config", "--runner", "--convert", "--reasoning-parser"),
    *("--tool-call-parser", "--attention-backend", "--compilation-config"),
    *("--speculative-config", "--hf-overrides", "--limit-mm-per-prompt"),
    *("--distributed-executor-backend", "--master-addr", "--data-parallel-address"),
    *("--data-parallel-backend", "--device-ids", "--disable-access-log-for-endpoints"),
    *("--uvicorn-log-level", "--scheduling-policy", "--hf-token", "--max-model-len"),
    *("--ssl-certfile", "--ssl-keyfile", "--response-role", "--config-format"),
)
LISTS = ("--served-model-name", "--api-key", "--numa-bind-nodes", "--numa-bind-cpus")
SWITCHES = (
    *("--trust-remote-code", "--enforce-eager", "--enable-prefix-caching", "--enable-lora"),
    *("--enable-chunked-prefill", "--enable-expert-parallel", "--enable-sleep-mode"),
    *("--enable-auto-tool-choice", "--enable-log-requests", "--disable-log-stats"),
    *("--disable-custom-all-reduce", "--disable-uvicorn-access-log", "--disable-fastapi-docs"),
    *("--disable-sliding-window", "--numa-bind", "--async-scheduling", "--headless"),
    *("--language-model-only", "--skip-tokenizer-init", "--enable-eplb"),
)
SHORT = {
    "--tensor-parallel-size": "-tp",
    "--pipeline-parallel-size": "-pp",
    "--data-parallel-size": "-dp",
    "--data-parallel-size-local": "-dpl",
    "--enable-expert-parallel": "-ep",
    "--api-server-count": "-asc",
    "--quantization": "-q",
}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="vllm", allow_abbrev=False)
    top.add_argument("-v", "--version", action="version", version=VERSION)
    commands = top.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", prog="vllm serve", allow_abbrev=False)
    serve.add_argument("model")

    def add(name: str, **how: Any) -> None:
        short = [SHORT[name]] if name in SHORT else []
        serve.add_argument(name, *short, **how)

    for name in WHOLE_NUMBERS:
        add(name, type=int)
    for name in FRACTIONS:
        add(name, type=float)
    for name in WORDS:
        add(name)
    for name in LISTS:
        add(name, nargs="+")
    for name in SWITCHES:
        add(name, action=argparse.BooleanOptionalAction)
    return top


def dashes(words: list[str]) -> list[str]:
    """vLLM takes --max_model_len for --max-model-len."""
    changed = []
    for word in words:
        name, separator, value = word.partition("=")
        known = name.startswith("--")
        changed.append((name.replace("_", "-") if known else name) + separator + value)
    return changed


def complaints(options: argparse.Namespace) -> str | None:
    """What the real engine ends with at once, of what a unit can get wrong."""
    model = Path(options.model)
    if options.model.startswith("/") and not (model / "config.json").is_file():
        return f"ValueError: Invalid repository ID or local directory specified: '{options.model}'"
    if (options.numa_bind_nodes or options.numa_bind_cpus) and not options.numa_bind:
        return "ValueError: numa_bind_nodes and numa_bind_cpus need numa_bind"
    utilization = options.gpu_memory_utilization
    if utilization is not None and not 0 < utilization <= 1:
        return f"ValueError: gpu_memory_utilization must be in (0, 1], got {utilization}"
    return None


class Vllm(Handler):
    options: argparse.Namespace
    keys: list[str]
    running = Running()
    stopping = False

    @property
    def names(self) -> list[str]:
        given: list[str] | None = self.options.served_model_name
        return given or [self.options.model]

    def refused(self, path: str) -> bool:
        if self.stopping:
            self.json(503, {"error": {"message": "shutting down", "code": 503}})
            return True
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if path.startswith("/v1") and self.keys and given not in self.keys:
            self.json(401, {"error": "Unauthorized"})
            return True
        return False

    def do_GET(self) -> None:  # noqa: N802
        path = self.path.split("?")[0]
        if self.refused(path):
            return
        if path in ("/health", "/ping"):
            self.text(200, "")
        elif path == "/version":
            self.json(200, {"version": VERSION})
        elif path == "/load":
            self.json(200, {"server_load": self.running.count})
        elif path == "/metrics":
            self.text(200, self.metrics(), "text/plain; version=0.0.4; charset=utf-8")
        elif path == "/v1/models":
            given = self.options.max_model_len or "4096"  # 32k and auto are taken, too
            length = int(given) if given.isdigit() else 4096
            more = {"object": "model", "owned_by": "vllm", "max_model_len": length}
            self.json(200, {"object": "list", "data": [{"id": n, **more} for n in self.names]})
        else:
            self.json(404, {"detail": "Not Found"})

    def metrics(self) -> str:
        label = f'{{engine="0",model_name="{self.names[0]}"}}'
        values = {
            "num_requests_running": self.running.count,
            "num_requests_waiting": 0,
            "kv_cache_usage_perc": 0.0,
        }
        lines = [f"# TYPE vllm:{name} gauge\nvllm:{name}{label} {v}" for name, v in values.items()]
        return "\n".join(lines) + "\n"

    def do_POST(self) -> None:  # noqa: N802
        path = self.path.split("?")[0]
        try:
            request = self.body()
        except BadRequestError as error:
            self.json(400, {"error": {"message": str(error), "code": 400}})
            return
        if self.refused(path):
            return
        if path == "/ping":
            self.text(200, "")
        elif path not in ("/v1/chat/completions", "/v1/completions"):
            self.json(404, {"detail": "Not Found"})
        elif (model := request.get("model") or self.names[0]) not in self.names:
            message = f"The model `{model}` does not exist."
            self.json(404, {"error": {"message": message, "type": "NotFoundError", "code": 404}})
        else:
            with self.running:
                self.completion(request, str(model), chat="chat" in path)


def shut_down(server: Server, seconds: int) -> None:
    """Refuse what is new, let what runs finish for so long, end."""
    Vllm.stopping = True
    deadline = time.monotonic() + seconds
    while Vllm.running.count and time.monotonic() < deadline:
        time.sleep(0.05)
    server.shutdown()


def serve(options: argparse.Namespace) -> int:
    complaint = complaints(options)
    if complaint:
        print(complaint, file=sys.stderr)
        return 1
    Vllm.options = options
    Vllm.keys = options.api_key or [k for k in [os.environ.get("VLLM_API_KEY", "")] if k]
    port = options.port if options.port is not None else 8000
    server = Server((options.host or "0.0.0.0", port), Vllm, bind_and_activate=False)
    try:
        server.server_bind()
    except OSError as error:
        print(f"OSError: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        return 1
    time.sleep(LOAD_SECONDS)  # the port is taken and refuses: nobody listens yet
    server.server_activate()

    def stop(*_: object) -> None:
        # Not here: shutdown() waits for the loop that this handler has interrupted.
        drain = options.shutdown_timeout or 0
        threading.Thread(target=shut_down, args=(server, drain), daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(
        json.dumps({"standin": f"vllm {VERSION}", "port": port, "args": sys.argv[1:]}), flush=True
    )
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    socket.setdefaulttimeout(600)
    sys.exit(serve(parser().parse_args(dashes(sys.argv[1:]))))
