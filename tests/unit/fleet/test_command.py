"""provision fleet over the example inventory, through ansible-runner; no host is contacted."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provision.cli.fleet import fleet
from provision.host.errors import Exit, ProvisionError

from .ansible_bed import CHECKOUT, RECORDED

INVENTORY = str(CHECKOUT / "inventory" / "hosts.yaml")
FILE = str(CHECKOUT / "tests" / "golden" / "hosts" / "2x3090-nvlink" / "host.yaml")
MACHINES = {
    "gpu-01": "2x3090-nvlink",
    "gpu-02": "2x3090-nvlink",
    "gpu-03": "4xl40s-2socket",
    "cpu-01": "no-gpu",
}


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    """Recorded facts for the hosts of the example."""
    for host, case in MACHINES.items():
        shutil.copy(RECORDED / case / "facts.json", tmp_path / f"{host}.json")
    return tmp_path


def call(*words: str) -> Result:
    return CliRunner().invoke(fleet, words, standalone_mode=False)


def temporary_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("provision-fleet-*"))


def test_the_example_inventory_can_be_planned(facts: Path) -> None:
    before = temporary_folders()
    done = call("plan", "-i", INVENTORY, "--facts-dir", str(facts), "--json")
    assert done.exception is None, done.output
    assert done.return_value is Exit.OK, done.output
    document = json.loads(done.stdout)
    hosts = {one["host"]: one for one in document["hosts"]}
    assert list(hosts) == sorted(MACHINES)
    named = {host: [one["name"] for one in hosts[host]["plan"]["instances"]] for host in hosts}
    assert named["gpu-01"] == named["gpu-02"] == ["chat.0"]
    assert named["gpu-03"] == ["large.0", "small.0", "small.1"]
    # Variables of the inventory reached the specs.
    assert any("192.0.2.12:8443" in one for one in hosts["gpu-02"]["plan"]["routes"])
    assert any("127.0.0.1:8080" in one for one in hosts["cpu-01"]["plan"]["routes"])
    assert "gpu-01       ✔ 1 socket" in done.stderr
    assert temporary_folders() == before


def test_a_host_without_facts_fails_alone(facts: Path) -> None:
    (facts / "gpu-03.json").unlink()
    done = call("plan", "-i", INVENTORY, "--facts-dir", str(facts), "--limit", "gpu-03,cpu-01")
    assert done.return_value is Exit.ERROR
    lines = done.stdout.splitlines()
    assert lines[0].startswith("cpu-01       ✔ 2 sockets")
    assert any(line.startswith("gpu-03       ✘ gpu-03: ") for line in lines)
    assert "2 hosts: 1 planned, 1 failed" in lines


def test_a_variable_that_is_nowhere_fails_its_host_alone(facts: Path, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yaml"
    hosts = {"cpu-01": {"provision_spec": "{{ nowhere }}"}, "gpu-01": {"provision_spec_file": FILE}}
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    done = call("plan", "-i", str(inventory), "--facts-dir", str(facts))
    assert done.return_value is Exit.ERROR
    assert "2 hosts: 1 planned, 1 failed" in done.stdout.splitlines()
    assert "nowhere" in done.stdout


@pytest.mark.parametrize(
    ("words", "rule", "code", "said"),
    [
        (("apply", "-i", INVENTORY), "nobody-to-ask", Exit.USAGE, "--yes"),
        (("remove", "-i", INVENTORY), "nobody-to-ask", Exit.USAGE, "--yes"),
        (("verify", "-i", "none.yaml"), "no-inventory", Exit.ERROR, "none.yaml"),
        (("apply", "-i", INVENTORY, "--serial", "0"), "bad-serial", Exit.USAGE, "'0'"),
        (("apply", "-i", INVENTORY, "--serial", "101%"), "bad-serial", Exit.USAGE, "'101%'"),
        (("verify", "-i", INVENTORY, "-l", "nobody"), "fleet", Exit.ERROR, "no hosts"),
    ],
)
def test_what_is_refused_before_any_host_is_touched(
    words: tuple[str, ...], rule: str, code: Exit, said: str
) -> None:
    done = call(*words)
    assert isinstance(done.exception, ProvisionError)
    assert [one.rule for one in done.exception.diagnostics] == [rule]
    assert done.exception.exit_code is code
    assert said in str(done.exception)
