"""The watch as a unit of a real systemd: its sandbox, its signs of life, what it leaves behind."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from provision.host.archive import build_agent
from provision.host.bundle import Artifact, Bundle, WatchSettings
from provision.host.document import dumps
from provision.host.transaction.state import State
from provision.plan.plan import Proxy
from provision.render import paths
from provision.render.bundle import render
from provision.render.services import services
from tests.integration.watch_bed import instance_at
from tests.unit.render import plans

from .testbed.fleet import Fleet
from .testbed.shell import Shell

pytestmark = pytest.mark.system
LISTEN, PORTS = 8088, (8101, 8102)
SETTINGS = WatchSettings(
    interval_seconds=0.5, timeout_seconds=2.0, failures=2, successes=2, restart_seconds=3
)
IN_TIME = SETTINGS.detection_seconds + 30  # for a machine with much else to do
UNIT = "provision-watch.service"
# Without counters: whether it works is told by its CPU time. In /run/engine/PORT.spin it computes.
ENGINE = """
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
port = 8101 + int(sys.argv[1].rpartition(".")[2])

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        while os.path.exists(f"/run/engine/{port}.spin"):
            pass
        body = json.dumps({"text": "x", "port": port}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
TEMPLATE = """[Unit]
PartOf=provision.target
[Service]
ExecStart=/usr/bin/python3 /root/engine.py %i
TimeoutStopSec=5
"""


class Watched:
    """A host with two engines behind nginx, and the watch."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def run(self, line: str, check: bool = True) -> str:
        return self.shell.run(line, check=check).stdout.strip()

    def show(self, what: str, unit: str = UNIT) -> str:
        return self.run(f"systemctl show -p {what} --value {unit}")

    def record(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.run("cat /run/provision/watch.json"))
        return read["instances"]  # type: ignore[no-any-return]  # of a JSON document

    def state(self, number: int) -> str:
        return str(self.record()[f"chat.{number}"]["state"])

    def is_out(self, number: int) -> bool:
        servers = bundle().nginx.servers  # type: ignore[union-attr]  # it has a proxy
        return "down" in self.run(f"cat {servers[number].path}")

    def health(self) -> str:
        return self.run("cd /run/provision/health 2>/dev/null && ls *.json || true")

    def asked(self) -> tuple[str, str]:
        """Status and body of the proxy's /health."""
        said = self.run(f"curl -s -w ' %{{http_code}}' http://127.0.0.1:{LISTEN}/health")
        body, _, status = said.rpartition(" ")
        return status, json.loads(body)["status"]

    def journal(self) -> str:
        return self.run(f"journalctl -q --no-pager -o cat -u {UNIT} -n 60")

    @contextlib.contextmanager
    def a_run_at_work(self) -> Iterator[None]:
        """Somebody holds the lock of all runs: nothing is restarted until the block ends."""
        lock = "/run/provision.lock"
        pid = self.run(f"nohup flock --no-fork {lock} sleep 240 >/dev/null 2>&1 & echo $!")
        self.wait(lambda: self.run(f"flock -n {lock} true || echo held") == "held")
        try:
            yield
        finally:
            self.run(f"kill {pid}")

    def wait(self, what: Callable[[], object], seconds: float = IN_TIME) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self.journal()
            time.sleep(0.3)


def bundle() -> Bundle:
    """The proxy and the services as they are rendered; the instances' units are this test's own."""
    address = f"127.0.0.1:{LISTEN}"
    members = [plans.vllm(f"chat.{at}", port=port) for at, port in enumerate(PORTS)]
    route = plans.route("chat", "/", *members, listen=address)
    plan = plans.plan(*members, proxy=Proxy((address,), (route,)), watch=SETTINGS)
    made = render(plan)
    instances = tuple(
        instance_at(f"chat.{at}", port, counters=False) for at, port in enumerate(PORTS)
    )
    own = (
        Artifact(f"{paths.UNITS}/{paths.TARGET}", "[Unit]\nDescription=all\n"),
        Artifact(f"{paths.UNITS}/vllm@.service", TEMPLATE),
        Artifact("/root/engine.py", ENGINE),
    )
    nginx = tuple(one for one in made.artifacts if one.path.startswith("/etc/nginx/"))
    return dataclasses.replace(
        made, artifacts=(*services(plan), *own, *nginx), instances=instances, watch=SETTINGS
    )


@pytest.fixture(scope="module")
def host(testbed_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    agent = tmp_path_factory.mktemp("agent") / "host.pyz"
    agent.write_bytes(build_agent())
    with Fleet.up(1, testbed_cache) as fleet:
        shell = fleet.hosts[0].shell
        made = bundle()
        for one in made.artifacts:
            folder = one.path.rpartition("/")[0]
            put = f"ln -sfn {one.content} {one.path}" if one.kind == "link" else f"cat > {one.path}"
            shell.run(f"mkdir -p {folder} && {put}", input=one.content)
        for name in ("one", "two"):
            shell.put(agent, f"/usr/local/lib/provision/{name}.pyz")
        shell.run(f"ln -sfn one.pyz {paths.AGENT}; mkdir -p /run/engine /var/lib/provision")
        state = State(State.VERSION, transaction="t" * 32, generation=1, bundle=made)
        shell.run("cat > /var/lib/provision/state.json", input=dumps(state))
        shell.run("systemctl daemon-reload && systemctl restart nginx", timeout=120)
        shell.run("systemctl start vllm@chat.0 vllm@chat.1 provision.target", timeout=120)
        found = Watched(shell)
        found.wait(lambda: found.show("ActiveState") == "active")
        found.wait(lambda: found.health() == "ok.json")
        yield found


@pytest.fixture(autouse=True)
def settled(host: Watched) -> Iterator[None]:
    """Each test begins and ends with both in."""
    host.wait(lambda: host.state(0) == host.state(1) == "in")
    yield
    host.run("rm -f /run/engine/*")
    host.wait(lambda: host.state(0) == host.state(1) == "in", 60)


def test_it_tells_systemd_how_it_is(host: Watched) -> None:
    assert host.show("Type") == "notify"
    host.wait(lambda: "2 instances, none without a sign of life" in host.show("StatusText"))
    assert host.show("NRestarts") == "0"
    assert "error" not in host.journal()


def test_a_hung_one_is_taken_out_and_restarted(host: Watched) -> None:
    """The sandbox lets it reload nginx and restart a unit; the other one serves on.

    While a run is at work it is taken out all the same, but not restarted.
    """
    pid = host.show("MainPID", "vllm@chat.0")
    with host.a_run_at_work():
        host.run(f"kill -STOP {pid}")
        host.wait(lambda: host.is_out(0) and host.state(0) == "out")
        asked = "curl -sf -d x http://127.0.0.1:8088/v1/completions"
        for _ in range(6):
            assert '"port": 8102' in host.run(asked)
        host.wait(lambda: "another run of provision is at work" in host.journal())
        assert host.show("MainPID", "vllm@chat.0") == pid
        assert "its unit is being restarted" not in host.journal()
    host.wait(lambda: host.show("MainPID", "vllm@chat.0") not in (pid, "0"), 60)
    assert "its unit is being restarted" in host.journal()
    host.wait(lambda: not host.is_out(0) and host.state(0) == "in")


def test_when_nobody_serves_health_says_so(host: Watched) -> None:
    assert host.asked() == ("200", "ok")
    pids = [host.show("MainPID", f"vllm@chat.{number}") for number in (0, 1)]
    with host.a_run_at_work():  # nobody is restarted before it was seen
        host.run(f"kill -STOP {' '.join(pids)}")
        host.wait(lambda: host.asked() == ("503", "unavailable"))
        host.run(f"kill -CONT {' '.join(pids)}")
        host.wait(lambda: host.asked() == ("200", "ok"), 60)


def test_who_computes_is_busy_and_stays(host: Watched) -> None:
    """No counters, no token: its CPU time says that it works."""
    host.run("touch /run/engine/8101.spin")
    host.wait(lambda: host.record()["chat.0"]["busy"])
    deadline = time.monotonic() + SETTINGS.detection_seconds + 1
    while time.monotonic() < deadline:
        assert not host.is_out(0), host.journal()
        time.sleep(0.5)
    assert host.record()["chat.0"]["busy"]
    assert host.health() == "ok.json"


def test_a_stopped_unit_is_out_and_not_started_by_the_watch(host: Watched) -> None:
    host.run("systemctl stop vllm@chat.1")
    host.wait(lambda: host.state(1) == "out")
    assert "its unit is inactive" in host.record()["chat.1"]["why"]
    time.sleep(float(SETTINGS.restart_seconds or 0) + 3)
    assert host.show("ActiveState", "vllm@chat.1") == "inactive"
    host.run("systemctl start vllm@chat.1")
    host.wait(lambda: host.state(1) == "in")


def test_a_new_version_takes_over_without_a_gap_in_the_health(host: Watched) -> None:
    pid = host.show("MainPID")
    host.run(
        f"ln -sfn two.pyz /usr/local/lib/provision/new && mv -T /usr/local/lib/provision/new"
        f" {paths.AGENT}"
    )
    deadline = time.monotonic() + 30
    while host.show("MainPID") in (pid, "0"):
        assert host.health() == "ok.json"
        assert time.monotonic() < deadline, host.journal()
    assert host.health() == "ok.json"
    host.wait(lambda: host.show("ActiveState") == "active")
    assert host.show("Result") == "success"


def test_killed_it_is_back_and_its_health_files_went_with_it(host: Watched) -> None:
    before = host.run("stat -c %i /run/provision/health/ok.json")
    pid = host.show("MainPID")
    host.run(f"kill -9 {pid}")
    host.wait(lambda: host.show("MainPID") not in (pid, "0"))
    host.wait(lambda: host.health() == "ok.json")
    assert host.run("stat -c %i /run/provision/health/ok.json") != before


def test_stopped_with_the_target_nobody_vouches_for_anything(host: Watched) -> None:
    host.run("systemctl stop provision.target")
    host.wait(lambda: host.show("ActiveState") == "inactive")
    assert host.health() == ""
    assert host.asked() == ("503", "unknown")
    host.run("systemctl start vllm@chat.0 vllm@chat.1 provision.target")
    host.wait(lambda: host.health() == "ok.json")


def test_recover_is_skipped_where_nothing_was_left(host: Watched) -> None:
    host.run(f"systemctl start {paths.RECOVER_UNIT}")
    assert host.show("ConditionResult", paths.RECOVER_UNIT) == "no"
    assert host.show("Result", paths.RECOVER_UNIT) == "success"


def test_settings_are_taken_up_without_a_restart(host: Watched) -> None:
    pid = host.show("MainPID")
    quicker = dataclasses.replace(bundle(), watch=dataclasses.replace(SETTINGS, failures=3))
    state = State(State.VERSION, transaction="u" * 32, generation=2, bundle=quicker)
    host.shell.run("cat > /var/lib/provision/state.new", input=dumps(state))
    host.run("mv /var/lib/provision/state.new /var/lib/provision/state.json")
    host.wait(
        lambda: (
            f"out after {quicker.watch.detection_seconds:g} s" in host.journal()
            if quicker.watch
            else False
        )
    )
    assert host.show("MainPID") == pid
