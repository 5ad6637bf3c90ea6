#!/usr/bin/python3 -I
"""A stand-in for Ollama (it is not Ollama): its commands, HTTP API and refusals, without a model.

For hosts where Ollama cannot be had. It keeps to what a unit, a proxy and a verifier can notice:
OLLAMA_HOST, OLLAMA_MODELS, OLLAMA_CONTEXT_LENGTH, OLLAMA_KEEP_ALIVE and HOME; the files it makes;
403 for foreign Host headers on a loopback address; JSON lines while it streams; `ollama --version`
that names the client alone when no server answers. Whatever is pulled is the hosts' tiny model, in
a manifest and blobs as Ollama keeps them.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from .fake_http import LOAD_SECONDS, BadRequestError, Handler, Server, tokens
else:
    sys.path.insert(0, "/usr/local/lib/testbed")  # where build.sh puts it on the hosts
    from fake_http import LOAD_SECONDS, BadRequestError, Handler, Server, tokens

VERSION = "0.13.5"
DEFAULT_PORT = 11434
MODEL = Path("/opt/models/tiny.gguf")
FOREVER = "2318-01-01T00:00:00Z"


def fail(message: str) -> NoReturn:
    print(f"Error: {message}", file=sys.stderr)
    raise SystemExit(1)


def address() -> tuple[str, int]:
    """OLLAMA_HOST as Ollama reads it: quotes and spaces off, a bad port is the default one."""
    value = os.environ.get("OLLAMA_HOST", "").strip().strip("\"'")
    scheme, separator, rest = value.partition("://")
    default = {"http": 80, "https": 443}.get(scheme, DEFAULT_PORT) if separator else DEFAULT_PORT
    hostport = (rest if separator else value).split("/", 1)[0]
    match = re.fullmatch(r"(\[.*\]|[^:]*):(\d*)", hostport)
    host, port = match.groups() if match else (hostport, "")
    number = int(port) if port and int(port) <= 65535 else default
    return host.strip("[]") or "127.0.0.1", number


def models_folder() -> Path:
    given = os.environ.get("OLLAMA_MODELS", "").strip()
    return Path(given) if given else home() / ".ollama" / "models"


def home() -> Path:
    value = os.environ.get("HOME")
    if not value:
        fail("$HOME is not defined")
    return Path(value)


# --- models on disk ------------------------------------------------------------------------------


def full_name(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def manifest(name: str) -> Path:
    path, tag = full_name(name).rsplit(":", 1)
    owner = path if "/" in path else f"library/{path}"
    return models_folder() / "manifests" / "registry.ollama.ai" / owner / tag


def pull(name: str) -> Iterator[dict[str, Any]]:
    yield {"status": "pulling manifest"}
    model = MODEL.read_bytes()
    config = json.dumps({"model_format": "gguf", "model_family": "llama", "file_type": "F32"})
    layer = store("application/vnd.ollama.image.model", model)
    there = {"total": len(model), "completed": len(model), "digest": layer["digest"]}
    yield {"status": f"pulling {layer['digest'][7:19]}", **there}
    path = manifest(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "application/vnd.docker.container.image.v1+json"
    plain = {"schemaVersion": 2, "config": store(kind, config.encode()), "layers": [layer]}
    path.write_text(json.dumps(plain))
    for status in ("verifying sha256 digest", "writing manifest", "success"):
        yield {"status": status}


def store(kind: str, content: bytes) -> dict[str, Any]:
    """Write a blob; returns how a manifest names it."""
    digest = hashlib.sha256(content).hexdigest()
    path = models_folder() / "blobs" / f"sha256-{digest}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}


def installed() -> list[str]:
    root = models_folder() / "manifests" / "registry.ollama.ai"
    found = []
    for path in sorted(root.glob("*/*/*")):
        owner, name, tag = path.relative_to(root).parts
        found.append(f"{name}:{tag}" if owner == "library" else f"{owner}/{name}:{tag}")
    return found


def size() -> int:
    return MODEL.stat().st_size


def entry(name: str) -> dict[str, Any]:
    digest = hashlib.sha256(full_name(name).encode()).hexdigest()
    details = {"format": "gguf", "family": "llama", "families": ["llama"]}
    details |= {"parameter_size": "0.1B", "quantization_level": "F32", "parent_model": ""}
    name = full_name(name)
    return {"name": name, "model": name, "size": size(), "digest": digest, "details": details}


# --- the server ----------------------------------------------------------------------------------


def host_allowed(header: str, bound: str) -> bool:
    """Ollama's allowedHostsMiddleware: on a loopback address only names that mean this machine."""
    if not ipaddress.ip_address(bound).is_loopback:
        return True
    match = re.fullmatch(r"\[?(.*?)\]?(:\d+)?", header)
    host = (match.group(1) if match else header).lower()
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host in ("", "localhost", socket.gethostname().lower()) or host.endswith(
            (".localhost", ".local", ".internal")
        )
    return ip.is_loopback or ip.is_private or ip.is_unspecified


class Ollama(Handler):
    loaded: dict[str, str] = {}  # noqa: RUF012 (name -> expires_at; one server a process)

    def refused(self) -> bool:
        listening: Any = self.server.server_address
        bound = str(listening[0])
        if host_allowed(self.headers.get("Host", ""), bound):
            return False
        self.text(403, "")
        return True

    def do_HEAD(self) -> None:  # noqa: N802
        self.do_GET()

    def do_GET(self) -> None:  # noqa: N802
        if self.refused():
            return
        path = self.path.split("?")[0]
        if path == "/":
            self.text(200, "Ollama is running")
        elif path == "/api/version":
            self.json(200, {"version": VERSION})
        elif path == "/api/tags":
            self.json(200, {"models": [entry(name) for name in installed()]})
        elif path == "/api/ps":
            self.json(200, {"models": [self.running(name) for name in self.loaded]})
        elif path == "/v1/models":
            data = [{"id": n, "object": "model", "owned_by": "library"} for n in installed()]
            self.json(200, {"object": "list", "data": data})
        else:
            self.text(404, "404 page not found")

    def running(self, name: str) -> dict[str, Any]:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        context = int(os.environ.get("OLLAMA_CONTEXT_LENGTH") or 4096)
        on_gpu = size() if visible not in ("", "-1") else 0
        more = {"size_vram": on_gpu, "context_length": context, "expires_at": self.loaded[name]}
        return {**entry(name), **more}

    def do_POST(self) -> None:  # noqa: N802
        try:
            request = self.body()
            if not self.refused():
                self.answer(self.path.split("?")[0], request)
        except BadRequestError as error:
            self.json(400, {"error": str(error)})
        except OSError as error:  # no room, or a read-only models folder
            self.json(500, {"error": str(error)})

    def answer(self, path: str, request: dict[str, Any]) -> None:
        name = str(request.get("model") or request.get("name") or "")
        if path == "/api/pull":
            self.lines(request, pull(name))
            return
        known = ("/api/generate", "/api/chat", "/api/show", "/v1/chat/completions")
        if path not in (*known, "/v1/completions"):
            self.text(404, "404 page not found")
        elif not name or not manifest(name).exists():
            self.json(404, {"error": f"model '{name}' not found"})
        elif path == "/api/show":
            self.json(200, {**entry(name), "model_info": {"general.architecture": "llama"}})
        elif path.startswith("/v1/"):
            self.load(name, None)
            self.completion(request, name, chat="chat" in path)
        else:
            self.native(path, name, request)

    def native(self, path: str, name: str, request: dict[str, Any]) -> None:
        chat = path == "/api/chat"
        keep_alive = request.get("keep_alive")
        empty = not request.get("messages" if chat else "prompt")
        unload = empty and keep_alive == 0
        if unload:
            self.loaded.pop(full_name(name), None)
        else:
            self.load(name, keep_alive)

        def pieces() -> Iterator[dict[str, Any]]:
            def piece(word: str, **more: object) -> dict[str, Any]:
                said = {"message": {"role": "assistant", "content": word}} if chat else {}
                text = {} if chat else {"response": word}
                now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                return {"model": name, "created_at": now, **said, **text, "done": False, **more}

            if empty:
                yield piece("", done=True, done_reason="unload" if unload else "load")
                return
            options = request.get("options") or {}
            count = 0
            for word in tokens(options.get("num_predict")):
                count += 1
                yield piece(word)
            spent = {"total_duration": 1000, "eval_duration": 1000, "prompt_eval_count": 1}
            yield piece("", done=True, done_reason="stop", eval_count=count, **spent)

        self.lines(request, pieces())

    def load(self, name: str, keep_alive: object) -> None:
        if full_name(name) not in self.loaded:
            time.sleep(LOAD_SECONDS)
        keep = keep_alive if keep_alive is not None else os.environ.get("OLLAMA_KEEP_ALIVE", "5m")
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 300))
        self.loaded[full_name(name)] = FOREVER if str(keep).startswith("-") else soon

    def lines(self, request: dict[str, Any], pieces: Iterator[dict[str, Any]]) -> None:
        """Streams JSON lines unless told not to; then one object that holds all of it."""
        if request.get("stream", True):
            lines = (json.dumps(piece) + "\n" for piece in pieces)
            self.stream("application/x-ndjson", lines)
            return
        whole: dict[str, Any] = {}
        said = ""
        for piece in pieces:
            message = piece.get("message") or {}
            said += str(piece.get("response") or message.get("content") or "")
            whole = piece
        if "response" in whole:
            whole["response"] = said
        if "message" in whole:
            whole["message"]["content"] = said
        self.json(200, whole)


def serve() -> int:
    key = home() / ".ollama" / "id_ed25519"
    try:
        if not key.exists():  # made at the first start: HOME must be writable
            key.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            key.write_text("stand-in\n")
            key.chmod(0o600)
        (models_folder() / "blobs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"could not create {error.filename}: {error.strerror}")
    host, port = address()
    try:
        server = Server((host, port), Ollama)
    except OSError as error:
        fail(f"listen tcp {host}:{port}: bind: {(error.strerror or '').lower()}")
    # No drain: requests in flight are cut.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    print(f"Listening on {host}:{port} (version {VERSION}, stand-in)", flush=True)
    server.serve_forever()
    return 0


# --- the client ----------------------------------------------------------------------------------


def ask(path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    host, port = address()
    host = "127.0.0.1" if host == "0.0.0.0" else host
    data = None if body is None else json.dumps(body).encode()
    url = f"http://{host}:{port}{path}"
    with urllib.request.urlopen(url, data, timeout=30) as answer:
        value: dict[str, Any] = json.load(answer)
        return value


def version() -> int:
    try:
        print(f"ollama version is {ask('/api/version')['version']}")
    except OSError:
        print("Warning: could not connect to a running Ollama instance")
        print(f"Warning: client version is {VERSION}")
    return 0


def listing(path: str) -> int:
    for model in ask(path)["models"]:
        print(model["name"], model["digest"][:12], f"{model['size'] // 10**6} MB", sep="\t")
    return 0


def main(words: list[str]) -> int:
    command, *rest = words or ["help"]
    if command in ("--version", "-v"):
        return version()
    if command in ("help", "--help", "-h"):
        print("Usage:\n  ollama [command]\n\nAvailable Commands:\n  serve\n  pull\n  list\n  ps")
        return 0
    try:
        if command == "serve" and not rest:
            return serve()
        if command == "pull" and len(rest) == 1:
            print(ask("/api/pull", {"model": rest[0], "stream": False})["status"])
            return 0
        if command in ("list", "ls"):
            return listing("/api/tags")
        if command == "ps":
            return listing("/api/ps")
    except OSError as error:
        fail(f"could not connect to ollama server, run 'ollama serve' to start it ({error})")
    fail(f'unknown command "{command}" for "ollama"')


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
