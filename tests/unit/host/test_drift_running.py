"""Drift of what runs: real processes, a real HTTP answer in the place of nginx's workers."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from provision.host.balancer.upstreams import mark_of
from provision.host.bundle import (
    Expectation,
    GpuSetting,
    GpuSettings,
    Instance,
    InstanceRuntime,
    Nginx,
    Probe,
)
from provision.host.facts import Placed
from provision.host.files import Files
from provision.host.proof.drift_running import (
    gpu_drift,
    instance_drift,
    nginx_drift,
    sorted_out,
    watch_drift,
)
from provision.host.quantity import CpuSet, PciAddress
from provision.host.report import Check
from provision.host.systemd import UnitStatus
from provision.host.watch.record import Watched, WatchRecord, write_record
from tests.standin.build import table_text

from .agent import Agent

UNIT = "llama-server@chat.0.service"
DIGEST = "d" * 64


@pytest.fixture
def engine() -> Iterator[subprocess.Popen[bytes]]:
    """A process that only sleeps, with the mark of provision in its environment."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    process = subprocess.Popen([sleep, "300"], env={"PROVISION_DIGEST": DIGEST, "THREADS": "8"})
    yield process
    process.kill()
    process.wait()


def instance(expectation: Expectation) -> Instance:
    placed = Placed("chat.0", "llama-server", UNIT)
    return Instance(
        name="chat.0",
        group="chat",
        engine="llama-server",
        unit=UNIT,
        digest=DIGEST,
        runtime=InstanceRuntime(1, "chat.0"),
        expectation=expectation,
        placed=placed,
    )


def running(process: subprocess.Popen[bytes]) -> UnitStatus:
    return UnitStatus(UNIT, "loaded", "active", "running", main_pid=process.pid)


def test_a_process_as_planned(engine: subprocess.Popen[bytes]) -> None:
    mine = CpuSet.of(os.sched_getaffinity(engine.pid))
    one = instance(Expectation("sleep", cpus=mine, environment={"THREADS": "8"}))
    assert instance_drift(one, running(engine)) == ([], [])


def test_a_process_on_other_cpus_and_with_other_variables(
    engine: subprocess.Popen[bytes],
) -> None:
    absent = CpuSet.parse("4000-4001")
    one = instance(Expectation("vllm", cpus=absent, environment={"THREADS": "4", "NEW": "1"}))
    items, unknown = instance_drift(one, running(engine))
    assert unknown == []
    assert [item.kind for item in items] == ["process", "cpus", "environment"]
    assert {item.subject for item in items} == {"chat.0"}
    assert items[1].expected == "4000-4001"
    assert items[2].actual == "NEW is missing; THREADS is 8, not 4"
    assert UNIT in items[0].hint


def test_an_older_configuration_is_told_alone(engine: subprocess.Popen[bytes]) -> None:
    one = instance(Expectation("vllm", cpus=CpuSet.parse("4000")))
    newer = dataclasses.replace(one, digest="e" * 64)
    (item,), _ = instance_drift(newer, running(engine))
    assert (item.kind, item.actual) == ("older", "an older configuration")


def test_one_that_does_not_run_has_no_process_to_look_at() -> None:
    one = instance(Expectation("vllm"))
    assert instance_drift(one, None) == ([], [])
    assert instance_drift(one, UnitStatus(UNIT, "loaded", "failed")) == ([], [])


def test_what_could_not_be_seen_is_unknown_and_no_drift() -> None:
    items, unknown = sorted_out(
        instance(Expectation("vllm")),
        [
            Check("chat.0", "memory-policy", None, "bind:0", "unknown", "the kernel knows no NUMA"),
            Check("chat.0", "memory", None, "on node 0", "80.0 % of 99 MiB", "warning: full"),
            Check("chat.0", "cpus", True, "0-1", "0-1"),
            Check("chat.0", "memory", False, "on node 0", "10.0 % of 99 MiB", "node 1: 89 MiB"),
        ],
    )
    assert [one.why for one in unknown] == ["memory-policy: the kernel knows no NUMA"]
    assert [(one.kind, one.actual) for one in items] == [
        ("memory", "10.0 % of 99 MiB (node 1: 89 MiB)")
    ]


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        text = self.server.mark.encode()  # type: ignore[attr-defined]  # put there by the fixture
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name it has above
        """Tests are quiet."""


@pytest.fixture
def workers() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Answer)
    server.mark = ""  # type: ignore[attr-defined]  # read by the handler
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_workers_that_answer_another_mark(workers: HTTPServer, tmp_path: Path) -> None:
    files = Files(tmp_path)
    entry = "/etc/nginx/conf.d/provision.conf"
    files.write(entry, b"# ours\n")
    url = f"http://127.0.0.1:{workers.server_port}/_provision/health"
    nginx = Nginx(configuration=entry, health=Probe(url))
    seen = {"nginx.service": UnitStatus("nginx.service", "loaded", "active")}
    workers.mark = mark_of(nginx, files)  # type: ignore[attr-defined]  # read by the handler
    assert nginx_drift(nginx, files, seen) == ([], [])
    files.write(entry, b"# ours, edited and never reloaded\n")
    (item,), _ = nginx_drift(nginx, files, seen)
    assert (item.kind, item.subject) == ("nginx-older", "nginx")
    down = {"nginx.service": UnitStatus("nginx.service", "loaded", "failed")}
    assert nginx_drift(nginx, files, down) == ([], []), "that it is down is told by its unit"


def test_gpus_that_no_driver_tells_of_are_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    if any(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("this machine has NVIDIA GPUs")
    address = PciAddress.parse("0000:17:00.0")
    items, unknown = gpu_drift(GpuSettings(1, (GpuSetting("GPU-a", address, True, 300.0),)))
    assert items == []
    assert [one.subject for one in unknown] == ["GPU 0000:17:00.0"]
    assert gpu_drift(None) == ([], [])


def test_settings_of_gpus_are_read_back_one_by_one(agent: Agent) -> None:
    """Two cards as wanted and otherwise, and one that is lost."""
    agent.table(table_text(["0000:17:00.0", "0000:65:00.0"]))
    said = agent.code(
        "from provision_host.bundle import GpuSetting, GpuSettings\n"
        "from provision_host.unit.nvml import nvml\n"
        "from provision_host.proof.drift_running import gpu_drift\n"
        "with nvml() as session:\n"
        "    one, two = session.present()\n"
        "    watts = session.read(one.uuid).power_limit_watts\n"
        "wanted = [GpuSetting(one.uuid, one.address, False, watts),\n"
        "          GpuSetting(two.uuid, two.address, True, watts),\n"
        "          GpuSetting('GPU-gone', two.address, True, watts)]\n"
        "items, unknown = gpu_drift(GpuSettings(1, tuple(wanted)))\n"
        "for item in items: print(item.kind, item.subject, item.actual, sep='|')\n"
        "for one in unknown: print(one.why)\n"
    )
    assert said.returncode == 0, said.stderr
    drifted, lost = said.stdout.splitlines()
    assert drifted == "gpu-settings|GPU 0000:65:00.0|0000:65:00.0: persistence is off"
    assert lost.startswith("could not find GPU-gone")


def test_an_instance_that_is_kept_in_although_it_is_unwell(tmp_path: Path) -> None:
    files = Files(tmp_path)
    one = Watched("kept", why="no token within 10 s")
    write_record(files, WatchRecord(1, os.getpid(), {"chat.0": one, "b.0": Watched("in")}), None)
    (item,) = watch_drift(["b.0", "chat.0", "new.0"], files)
    assert (item.kind, item.subject) == ("unwell", "chat.0")
    assert item.actual.startswith("no token within 10 s; kept in")
    gone = subprocess.Popen(["true"])
    gone.wait()
    write_record(files, WatchRecord(1, gone.pid, {"chat.0": one}), None)
    assert watch_drift(["chat.0"], files) == [], "of a watch that is gone"
