"""Clients that stream without a pause, through the generated nginx, while everything happens.

Three replicas of an engine that answers slowly and dies hard (testbed/streaming_engine.py), and
two of the real server. First it is shown that what is to be counted is found where it happens.
The tests build on one another and run in the order of this file.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from provision.host.bundle import WatchSettings

from .load_bench import BINARY, RECORDS, Load, LoadHost, doubles
from .testbed.fleet import Fleet

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
WATCH = WatchSettings(interval_seconds=1, timeout_seconds=2, failures=2, restart_seconds=None)
SPEC = f"""\
version: 1
instances:
  chat:
    engine: llama-server
    binary: {BINARY}
    model: /opt/models/tiny.gguf
    gpus: 0
    numa: off
    replicas: 3
    context: 256
    drain_seconds: 60
    env: {{LOAD_MARK: '1'}}
  real:
    engine: llama-server
    model: /opt/models/tiny.gguf
    gpus: 0
    numa: off
    replicas: 2
    context: 2048
    parallel: 2
    drain_seconds: 60
    env: {{LOAD_MARK: '1'}}
proxy:
  listen: 8080
  watch:
    interval_seconds: {WATCH.interval_seconds}
    timeout_seconds: {WATCH.timeout_seconds}
    failures: {WATCH.failures}
    restart_seconds: never
"""
# The same engine with two models, so that the body's `model` decides.
OF_BOTH = (
    f"engine: llama-server, binary: {BINARY}, gpus: 0, numa: off, replicas: 3, context: 256,"
    " drain_seconds: 60, env: {LOAD_MARK: '3'}"
)
TLS_SPEC = f"""\
version: 1
instances:
  chat: {{{OF_BOTH}, model: /opt/models/tiny.gguf}}
  spare: {{{OF_BOTH}, model: /opt/models/other.gguf}}
proxy:
  listen: 8443
  tls: {{certificate: /etc/llm/chain.pem, key: /etc/llm/key.pem}}
  keys: {{file: /etc/llm/keys}}
  watch: {{interval_seconds: 1, timeout_seconds: 2, failures: 2, restart_seconds: never}}
  upstreams:
    - {{path: /, instances: [chat, spare], by_model: true}}
    - {{path: /few, instances: [chat], max_in_flight: 1, backup: {{instances: [spare]}}}}
"""
KEY = "sk-load-0123456789"
CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    " -subj /CN=llm.example.test -keyout /etc/llm/key.pem -out /etc/llm/chain.pem 2>&1"
)
CHAT = ("chat.0", "chat.1", "chat.2")
REAL = ("real.0", "real.1")
# The tiny model gives 1600 tokens a second; a grammar with many ways to go on makes that 350.
WAYS = " | ".join(f'[a-z] [a-z] "{number}"' for number in range(40))
SLOW = {
    "grammar": f"root ::= ({WAYS})*",
    "ignore_eos": True,
    "stream_options": {"include_usage": True},
}
PATIENCE_SECONDS = 4  # of a client whose engine hangs; it then sends another request
# Without a watch that client is sent to the hung engine again, late enough to be found.
HUNG_SECONDS = WATCH.detection_seconds + 2 * PATIENCE_SECONDS


@pytest.fixture(scope="module")
def host(container: Fleet) -> Iterator[LoadHost]:
    one = LoadHost(container)
    one.spec(SPEC)
    one.apply()
    yield one


# --- what is to be counted is found where it happens ----------------------------------------------


def test_a_restart_without_a_drain_is_found(host: LoadHost) -> None:
    port, pid = host.engine("chat.0")
    with host.load("plain-restart") as load:
        host.run("systemctl restart llama-server@chat.0")
        load.go_on()
    cut = load.failed()
    assert cut, "the engine dies hard: its streams are cut"
    assert {one.outcome for one in cut} == {"cut"}, load
    assert {one.served for one in cut} == {f"{port}/{pid}"}
    died = [one for one in host.generations() if one.pid == pid and one.how == "died"]
    assert {one.name for one in cut} <= {one.request for one in died}


def test_a_proxy_that_does_not_go_on_to_the_next_is_found(host: LoadHost) -> None:
    path = "/etc/nginx/conf.d/provision.conf"
    off = "s/proxy_next_upstream .*/proxy_next_upstream off;/"
    host.run(f"cp -p {path} /root/kept && sed -i '{off}' {path}")
    host.run(f"grep -q 'next_upstream off' {path} && nginx -s reload")
    port, _ = host.engine("chat.1")
    try:
        with host.load("no-next") as load, Busy(host, port):
            load.until(lambda: bool(load.failed()), seconds=20)
    finally:
        host.run(f"cp -p /root/kept {path} && nginx -s reload")
    assert {one.outcome for one in load.failed()} == {"status"}, load
    assert all(one.detail.startswith("503 ") for one in load.failed()), load


def test_a_generation_that_runs_twice_is_found(host: LoadHost) -> None:
    body = json.dumps({"prompt": "[request twice-0]", "max_tokens": 8})
    ask = f"curl -sf -o /dev/null http://127.0.0.1:8080/v1/completions -d '{body}'"
    host.run(f"{ask} & {ask} && wait $!")
    pairs = doubles(host.generations())
    assert [(one.request, other.request) for one, other in pairs] == [("twice-0", "twice-0")]
    host.run(f"{ask} && {ask}".replace("twice-0", "twice-1"))
    assert len(doubles(host.generations())) == 1, "one after the other is not at the same time"


# --- the claims -----------------------------------------------------------------------------------


def test_all_replicas_restart_one_by_one(host: LoadHost) -> None:
    """Both engines at once: an apply with a changed variable restarts all five."""
    before = {name: host.engine(name) for name in (*CHAT, *REAL)}
    host.spec(SPEC.replace("LOAD_MARK: '1'", "LOAD_MARK: '2'"))
    slow = ("--by-usage", "--pieces", "800", "1400", "--extra", json.dumps(SLOW))
    with (
        host.load("rolling") as load,
        host.load("rolling-real", "/real/v1/completions", 2, slow) as real,
    ):
        began = time.time()
        assert host.apply()["changed"] is True
        load.go_on()
        real.go_on(3)
    nothing_failed(load)
    nothing_failed(real)
    for name, (port, pid) in before.items():
        assert host.engine(name)[0] == port
        assert host.engine(name)[1] != pid, f"{name} was restarted"
        assert host.environment(f"llama-server@{name}")["LOAD_MARK"] == "2"
    generations = host.generations()
    for name in CHAT:
        whole = [one for one in generations if one.pid == before[name][1] and one.how == "end"]
        assert any(one.ended and one.began < began < one.ended for one in whole), (
            f"{name} had streams when the apply began"
        )
    never_two_out(host, [before[name] for name in CHAT])


def test_one_answers_503(host: LoadHost) -> None:
    port, _ = host.engine("chat.1")
    with host.load("busy") as load:
        with Busy(host, port):
            load.go_on(24)
        since = time.time()
        load.until(lambda: load.served_by(port, since))
    nothing_failed(load)
    refused = [one for one in host.record() if one["event"] == "refused" and one["port"] == port]
    assert any((one["request"] or "").startswith("busy-") for one in refused), "it was asked"


def test_nginx_is_reloaded_twenty_times(host: LoadHost) -> None:
    with host.load("reload") as load:
        times = []
        for _ in range(20):
            host.run("nginx -s reload")
            times.append(time.time())
            time.sleep(0.2)
        load.go_on()
    nothing_failed(load)
    spanning = [one for one in load.requests if any(one.began < at < one.ended for at in times)]
    assert len(spanning) >= 20, "streams ran across the reloads"
    assert {one.kept for one in spanning} == {True, False}


def test_one_is_killed(host: LoadHost) -> None:
    """Those that it was answering are lost. Nobody else notices, then or when it comes back."""
    port, pid = host.engine("chat.2")
    with host.load("killed") as load:
        host.run(f"kill -KILL {pid}")
        at = time.time()
        load.until(lambda: host.watched("chat.2") == "out")
        unit = "llama-server@chat.2"
        state = host.run(f"systemctl show -p SubState --value {unit}").strip()
        if state == "auto-restart":  # now, not in the seconds that systemd waits; or it is back
            host.run(f"systemctl restart {unit}")
        load.until(lambda: load.served_by(port, at), seconds=60)
    died = host.lives()[port, pid]
    victims = {
        one.request
        for one in host.generations()
        if one.pid == pid and one.how == "died" and one.began <= died + 0.1
    }
    assert {one.name for one in load.failed()} <= victims, f"{load}\n{sorted(victims)}"
    assert {one.outcome for one in load.failed()} <= {"cut"}, load


def test_one_hangs(host: LoadHost) -> None:
    """Lost are requests that it had, and those that came before it was noticed: none later."""
    port, pid = host.engine("chat.0")
    patience = ("--patience", str(PATIENCE_SECONDS))
    with host.load("hung", more=patience) as load:
        host.run(f"kill -STOP {pid}")
        stopped = time.time()
        try:
            time.sleep(HUNG_SECONDS)
        finally:
            host.run(f"kill -CONT {pid}")
        woken = time.time()
        load.until(lambda: load.served_by(port, woken), seconds=60)
    failed = load.failed()
    assert failed, "a hung engine is no matter to nobody: it had streams"
    assert {one.outcome for one in failed} == {"stalled"}, load
    # Once it is awake it begins what had come to it meanwhile, so its record tells of all.
    on_victim = {one.request for one in host.generations() if one.pid == pid}
    assert {one.name for one in failed} <= on_victim, load
    met = [one for one in load.requests if one.name in on_victim and one.began < woken]
    last = max(one.began for one in met) - stopped
    print(f"{len(met)} requests met the hung engine, the last one {last:.1f} s after it had hung")
    assert last <= WATCH.detection_seconds, load
    assert host.engine("chat.0") == (port, pid), "it was not restarted: restart_seconds is never"


def test_from_three_to_two_to_four_replicas(host: LoadHost) -> None:
    leaving, _ = host.engine("chat.2")
    with host.load("scaled") as load:
        for replicas in (2, 4):
            text = SPEC.replace("LOAD_MARK: '1'", "LOAD_MARK: '2'")
            host.spec(text.replace("replicas: 3", f"replicas: {replicas}", 1))
            began = time.time()
            assert host.apply()["changed"] is True
            assert len([one for one in host.instances() if one.startswith("chat.")]) == replicas
            if replicas == 2:
                since = time.time()
                load.go_on(12)
                assert not load.served_by(leaving, since)
        ports = [host.engine(f"chat.{number}")[0] for number in range(4)]
        since = time.time()
        load.until(lambda: all(load.served_by(port, since) for port in ports))
    nothing_failed(load)
    assert began


def test_the_same_with_tls_keys_models_and_an_overflow(host: LoadHost) -> None:
    """Four clients for three replicas of which each takes one request: the rest overflows."""
    host.run(f"mkdir -p /etc/llm && umask 077 && echo {KEY} > /etc/llm/keys && {CERTIFICATE}")
    host.run("cp /opt/models/tiny.gguf /opt/models/other.gguf")
    host.spec(TLS_SPEC)
    assert host.apply()["changed"] is True
    before = {name: host.engine(name) for name in host.instances()}
    assert sorted(before) == [f"{group}.{at}" for group in ("chat", "spare") for at in range(3)]
    host.spec(TLS_SPEC.replace("LOAD_MARK: '3'", "LOAD_MARK: '4'"))
    url, key = "https://127.0.0.1:8443", ("--key", KEY)
    tiny, other = (("--extra", json.dumps({"model": one})) for one in ("tiny", "other"))
    with (
        host.load("tls-tiny", f"{url}/v1/completions", 4, (*key, *tiny)) as large,
        host.load("tls-other", f"{url}/v1/completions", 4, (*key, *other)) as small,
        host.load("tls-few", f"{url}/few/v1/completions", 4, key) as few,
    ):
        assert host.apply()["changed"] is True
        for load in (large, small, few):
            load.go_on()
    ports = {
        group: {port for name, (port, _) in before.items() if name.startswith(group)}
        for group in ("chat", "spare")
    }
    for load in (large, small, few):
        nothing_failed(load)
    assert served_from(large) == ports["chat"] and served_from(small) == ports["spare"]
    assert served_from(few) > ports["chat"], "all of chat, and what was too much for it elsewhere"
    for name, (_, pid) in before.items():
        assert host.engine(name)[1] != pid, f"{name} was restarted"


def test_no_generation_ran_twice(host: LoadHost) -> None:
    """Over all of the above, the two that were meant to left out."""
    generations = [one for one in host.generations() if not one.request.startswith("twice-")]
    assert len(generations) > 300
    assert doubles(generations) == []


def nothing_failed(load: Load) -> None:
    assert len(load.requests) > 20, load
    assert not load.failed(), load


def served_from(load: Load) -> set[int]:
    """The ports of the engines that answered."""
    return {int(str(one.served).partition("/")[0]) for one in load.requests}


class Busy:
    """An engine that answers 503 to every completion while the block runs."""

    def __init__(self, host: LoadHost, port: int) -> None:
        self._host, self._path = host, f"{RECORDS}/{port}.503"

    def __enter__(self) -> None:
        self._host.run(f"touch {self._path}")

    def __exit__(self, *_: object) -> None:
        self._host.run(f"rm {self._path}")


def never_two_out(host: LoadHost, stopped: Sequence[tuple[int, int]]) -> None:
    """From the death of each of these processes to its successor's start no other one was away."""
    lives, boots = host.lives(), [one for one in host.record() if one["event"] == "boot"]
    away = []
    for port, pid in stopped:
        died = lives[port, pid]
        back = min(one["at"] for one in boots if one["port"] == port and one["at"] > died)
        away.append((died, back))
    away.sort()
    for (_, back), (died, _) in pairwise(away):
        assert back < died, away
