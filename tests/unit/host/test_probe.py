"""Probes and readiness against a small HTTP server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from provision.host.bundle import InstanceRuntime, Probe, SecretReference
from provision.host.probe import ask, is_token, judge, value_at

from .agent import Agent

ANSWER = {"choices": [{"message": {"content": "hi"}}], "usage": {"completion_tokens": 3}}


class Engine(ThreadingHTTPServer):
    """Answers 503 until `up` is set; what it was asked stands in `asked`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.up = True
        self.key: str | None = None
        self.answer: object = ANSWER
        self.asked: list[tuple[str, str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Engine

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b".")
                self.wfile.flush()
                time.sleep(0.1)
        elif not self.server.up:
            self._send(503, {"error": {"message": "Loading model"}})
        else:
            self._send(200, {"status": "ok"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Content-Type"], body))
        if self.server.key and self.headers["Authorization"] != f"Bearer {self.server.key}":
            self._send(401, {"error": "no key"})
        else:
            self._send(200, self.server.answer)

    def _send(self, status: int, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def engine() -> Iterator[Engine]:
    server = Engine()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def token_probe(engine: Engine, *paths: str, key: str | None = None) -> Probe:
    bearer = SecretReference(key) if key else None
    return Probe(
        f"{engine.url}/v1/chat/completions?x=1",
        "POST",
        body='{"max_tokens": 1}',
        token_at=paths or ("choices.0.message.content",),
        bearer=bearer,
    )


def test_a_token_is_proven_and_the_request_is_whole(engine: Engine) -> None:
    outcome = ask(token_probe(engine))
    assert outcome.ok and outcome.status == 200, outcome.why
    path, kind, body = engine.asked[0]
    assert (path, kind) == ("/v1/chat/completions?x=1", "application/json")
    assert json.loads(body) == {"max_tokens": 1}


def test_an_empty_answer_proves_nothing(engine: Engine) -> None:
    engine.answer = {"choices": [{"message": {"content": ""}}], "usage": {"completion_tokens": 0}}
    outcome = ask(token_probe(engine, "choices.0.message.content", "usage.completion_tokens"))
    assert not outcome.ok and "no token at" in outcome.why
    engine.answer = {"usage": {"completion_tokens": 2}}
    assert ask(token_probe(engine, "choices.0.message.content", "usage.completion_tokens")).ok


def test_wrong_status_carries_the_servers_words(engine: Engine) -> None:
    engine.up = False
    outcome = ask(Probe(f"{engine.url}/health"))
    assert (outcome.ok, outcome.status) == (False, 503)
    assert "503 instead of 200" in outcome.why and "Loading model" in outcome.why


def test_nobody_there_is_told_at_once() -> None:
    outcome = ask(Probe("http://127.0.0.1:9/", timeout_seconds=60))
    assert not outcome.ok and "refused" in outcome.why and outcome.seconds < 30


def test_a_server_that_drips_is_cut_off_at_the_deadline(engine: Engine) -> None:
    outcome = ask(Probe(f"{engine.url}/slow", timeout_seconds=0.6))
    assert not outcome.ok and "no answer within" in outcome.why
    assert outcome.seconds < 8, "it drips for ten"


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "ftp://x/", "http:///x", "127.0.0.1"])
def test_only_http_is_probed(url: str) -> None:
    assert not ask(Probe(url)).ok


def test_judgement() -> None:
    probe = Probe("u", body_has="ok", token_at=("a.0",))
    assert judge(probe, 200, b'{"ok": 1, "a": ["x"]}') is None
    assert "lacks 'ok'" in (judge(probe, 200, b'{"a": ["x"]}') or "")
    assert "not JSON" in (judge(probe, 200, b"ok") or "")
    assert value_at({"a": [{"b": 1}]}, "a.0.b") == 1
    assert value_at({"a": [1]}, "a.7.b") is None and value_at("x", "a") is None
    assert [is_token(one) for one in ("x", "", 1, 0, True, None, 0.5)] == [
        True,
        False,
        True,
        False,
        False,
        False,
        True,
    ]


def ready(agent: Agent, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return agent.verb("ready", "chat.0", env=env)


def put(agent: Agent, engine: Engine, timeout: int = 60, key: str | None = None) -> None:
    secrets = {"VLLM_API_KEY": SecretReference(key)} if key else {}
    runtime = InstanceRuntime(
        1,
        "chat.0",
        secrets=secrets,
        ready=Probe(f"{engine.url}/health"),
        token=token_probe(engine, key=key),
        start_timeout_seconds=timeout,
    )
    agent.put("/etc/provision/instances/chat.0.json", runtime)


def test_ready_waits_for_the_model_and_proves_a_token(agent: Agent, engine: Engine) -> None:
    put(agent, engine)
    engine.up = False
    threading.Timer(1.5, lambda: setattr(engine, "up", True)).start()
    ran = ready(agent)
    assert ran.returncode == 0, ran.stderr
    assert "chat.0: ready after" in ran.stdout and "first token" in ran.stdout


def test_ready_takes_its_key_from_the_units_environment(agent: Agent, engine: Engine) -> None:
    engine.key = "sk-12345678"
    put(agent, engine, key="/etc/llm/key")  # which is not there, as for a service's user
    ran = ready(agent, {"VLLM_API_KEY": "sk-12345678"})
    assert ran.returncode == 0, ran.stderr
    assert "sk-12345678" not in ran.stdout + ran.stderr
    assert ready(agent).returncode == 1


def test_ready_without_a_token_fails(agent: Agent, engine: Engine) -> None:
    put(agent, engine)
    engine.answer = {"error": "model 'x' not found"}
    ran = ready(agent)
    assert ran.returncode == 1 and "gives no token" in ran.stderr and "not found" in ran.stderr


def test_ready_stops_when_the_program_is_gone(agent: Agent, engine: Engine) -> None:
    put(agent, engine, timeout=600)
    engine.up = False
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    began = time.monotonic()
    ran = ready(agent, {"MAINPID": str(gone.pid)})
    assert ran.returncode == 1 and "ended before it was ready" in ran.stderr
    assert time.monotonic() - began < 20


def test_ready_gives_up_at_its_time_limit(agent: Agent, engine: Engine) -> None:
    put(agent, engine, timeout=1)
    engine.up = False
    ran = ready(agent)
    assert ran.returncode == 1 and "not ready after" in ran.stderr and "503" in ran.stderr
