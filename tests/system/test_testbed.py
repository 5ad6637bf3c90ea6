"""The container hosts are what the other system tests take them for."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .testbed import fleet as fleets
from .testbed import image
from .testbed.fleet import Fleet

# The first test of a session also builds the image and the snapshot.
pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

MODEL = "/opt/models/tiny.gguf"
STREAMED = json.dumps(
    # Weights at random end an answer at random, too.
    {
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 6,
        "stream": True,
        "ignore_eos": True,
    }
)
WAIT = "for _ in $(seq 100); do curl -sf -m 5 http://{0}/health && exit; sleep 0.3; done; exit 1"


def streamed_tokens(said: str) -> int:
    """How many pieces of an event stream carry text; fails unless it is whole."""
    pieces = [line[6:] for line in said.splitlines() if line.startswith("data: ")]
    assert pieces and pieces[-1] == "[DONE]", said
    choices = [json.loads(piece)["choices"] for piece in pieces[:-1]]
    return sum(bool(choice[0]["delta"].get("content")) for choice in choices if choice)


def test_every_package_that_is_checked_is_listed() -> None:
    lines = (image.HERE / "packages.txt").read_text().splitlines()
    listed = [line for line in lines if not line.startswith("#")]
    assert listed == sorted(listed)
    assert {*image.PROGRAMS.values(), *image.FILES.values()} <= set(listed)


def test_hosts_run_systemd_and_see_each_other(fleet: Fleet) -> None:
    for i, host in enumerate(fleet.hosts):
        running = fleet.ssh(i, "systemctl is-system-running --wait; systemctl is-active nginx")
        assert running.stdout.split() == ["running", "active"]
        assert fleet.ssh(i, "hostname").stdout.strip() == host.name
    fleet.ssh(0, f"curl -sf -m 5 -o /dev/null http://{fleet.hosts[3].address}/")


def test_container_serves_a_real_model(fleet: Fleet) -> None:
    host = fleet.hosts[1]
    fleet.ssh(
        1,
        f"systemd-run -q --unit=serve llama-server --model {MODEL} --host 0.0.0.0 --port 8081"
        " --ctx-size 512 --parallel 1 --threads 1",
    )
    fleet.exec(["sh", "-c", WAIT.format(f"{host.address}:8081")])
    url = f"http://{host.address}:8081/v1/chat/completions"
    assert streamed_tokens(fleet.exec(["curl", "-sN", "-m", "30", url, "-d", STREAMED]).stdout) >= 2


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--no-such"], "error: invalid argument: --no-such"),
        (["--port=80"], "error: invalid argument: --port=80"),
        (["--ctx-size", "big"], 'error while handling argument "--ctx-size": stoi'),
        (["--model", "/none", "--port", "8099"], "failed to load model, '/none'"),
    ],
)
def test_llama_server_refuses(fleet: Fleet, words: list[str], complaint: str) -> None:
    done = fleet.ssh(0, ["llama-server", *words], check=False)
    assert (done.returncode, complaint in done.stderr) == (1, True), done.stderr


def test_llama_server_says_its_version(fleet: Fleet) -> None:
    done = fleet.ssh(0, "llama-server --version")
    assert done.stderr.startswith("version: 11549 (") and "\nbuilt with " in done.stderr


def test_ollama_stand_in_keeps_to_ollamas_ways(fleet: Fleet) -> None:
    fleet.stand_in(2, "ollama")
    assert "client version is 0.13.5" in fleet.ssh(2, "ollama --version").stdout
    fleet.ssh(2, "systemd-run -q --unit=ollama -p Environment=HOME=/root ollama serve")
    fleet.ssh(2, "curl -sf --retry 20 --retry-connrefused --retry-delay 1 127.0.0.1:11434/")
    assert fleet.ssh(2, "ollama --version").stdout == "ollama version is 0.13.5\n"
    fleet.ssh(2, "ollama pull llama3.2:1b")
    code = "curl -s -o /dev/null -w '%{http_code}' 127.0.0.1:11434/api/tags"
    assert fleet.ssh(2, f"{code} -H 'Host: llm.example.com'").stdout == "403"
    assert fleet.ssh(2, f"{code} -H 'Host: localhost:11434'").stdout == "200"
    request = json.dumps({"model": "llama3.2:1b", "prompt": "hi", "options": {"num_predict": 3}})
    lines = fleet.ssh(2, ["curl", "-sN", "127.0.0.1:11434/api/generate", "-d", request]).stdout
    assert [json.loads(line)["done"] for line in lines.splitlines()] == [False] * 3 + [True]
    assert "llama3.2:1b" in fleet.ssh(2, "ollama ps").stdout


def test_vllm_stand_in_keeps_to_vllms_ways(fleet: Fleet) -> None:
    fleet.stand_in(2, "vllm")
    refused = fleet.ssh(2, "/opt/vllm/bin/vllm serve /opt/models/tiny --swap-space 4", check=False)
    assert refused.returncode == 2
    fleet.ssh(
        2,
        "systemd-run -q --unit=vllm -p Environment=VLLM_API_KEY=k /opt/vllm/bin/vllm serve"
        " /opt/models/tiny --served-model-name tiny --host 127.0.0.1 --port 8001 -tp 2",
    )
    fleet.ssh(2, WAIT.format("127.0.0.1:8001"))
    url = "127.0.0.1:8001/v1/chat/completions"
    assert fleet.ssh(2, f"curl -s {url} -d '{{}}'").stdout == '{"error": "Unauthorized"}'
    key = ["-H", "Authorization: Bearer k"]
    assert streamed_tokens(fleet.ssh(2, ["curl", "-sN", *key, url, "-d", STREAMED]).stdout) == 6
    assert "vllm:num_requests_running" in fleet.ssh(2, "curl -s 127.0.0.1:8001/metrics").stdout


def test_unplugged_and_stopped_hosts_are_unreachable(fleet: Fleet) -> None:
    ping = ["curl", "-s", "-m", "2", "-o", "/dev/null", f"http://{fleet.hosts[3].address}/"]
    assert fleet.exec(ping, check=False).returncode == 0
    fleet.unplug(3)
    assert fleet.exec(ping, check=False).returncode != 0
    fleet.plug(3)
    assert eventually(lambda: fleet.exec(ping, check=False).returncode == 0)
    fleet.stop_host(3)
    assert fleet.exec(ping, check=False).returncode != 0


def test_fleet_leaves_nothing(testbed_cache: Path) -> None:
    with Fleet.up(2, testbed_cache) as fleet:
        name = fleet.name
        assert len(fleets.leftovers(name)) >= 3
    assert fleets.leftovers(name) == []
    commands = (
        Path(entry.path, "cmdline") for entry in os.scandir("/proc") if entry.name.isdigit()
    )
    assert not [path for path in commands if name.encode() in read_bytes(path)]


def eventually(true: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.5)
    return False


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended meanwhile
        return b""
