"""A real fleet: four container hosts, brought up, proven, left alone, and one of them lost.

Nothing of provision is installed on the hosts. The tests build on one another and run in the order
of this file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .testbed.fleet import Fleet

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

CHECKOUT = Path(__file__).resolve().parents[2]
NAMES = ("h0", "h1", "h2", "h3")
UNITS = ("llama-server@chat.0", "llama-server@chat.1", "nginx")
KEY = "sk-of-the-fleet-0123456789"
QUESTION = json.dumps(
    {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, "stream": False}
)


def spec(context: int = 256) -> dict[str, Any]:
    return {
        "version": 1,
        "instances": {
            "chat": {
                "engine": "llama-server",
                "model": "/opt/models/tiny.gguf",
                "gpus": 0,
                "replicas": 2,
                "context": context,
            }
        },
        "proxy": {"listen": "{{ ansible_host }}:8080", "keys": {"file": "/etc/llm/keys"}},
    }


@dataclass(frozen=True)
class Controller:
    """This machine with an inventory of the four hosts."""

    fleet: Fleet
    folder: Path

    @property
    def inventory(self) -> str:
        return str(self.folder / "hosts.json")

    def write_inventory(self, shared: Mapping[str, Any]) -> None:
        how = self.fleet.inventory()
        addresses = dict(zip(NAMES, how.addresses, strict=True))
        variables = {
            "ansible_user": how.user,
            "ansible_ssh_private_key_file": str(how.key),
            "ansible_ssh_common_args": f"{how.ssh_args} -o ControlPath={self.folder}/%C",
            "ansible_python_interpreter": how.python,
            "provision_spec": shared,
        }
        hosts = {name: {"ansible_host": address} for name, address in addresses.items()}
        text = json.dumps({"all": {"hosts": hosts, "vars": variables}})
        (self.folder / "hosts.json").write_text(text)

    def provision(self, verb: str, *options: str) -> tuple[int, dict[str, dict[str, Any]], str]:
        """`provision fleet VERB --json`: the exit code, the hosts' results, all that was said."""
        words = [sys.executable, "-m", "provision", "fleet", verb, "-i", self.inventory]
        done = self.fleet.exec([*words, "--json", *options], check=False, cwd=CHECKOUT, timeout=600)
        said = done.stdout + done.stderr
        assert done.stdout.startswith("{"), said
        return done.returncode, {one["host"]: one for one in json.loads(done.stdout)["hosts"]}, said

    def ansible(
        self, playbook: str, *options: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Plain ansible-playbook, as its own users run it."""
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        words = [program, "-i", self.inventory, str(CHECKOUT / "playbooks" / playbook), *options]
        env = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1"}
        return self.fleet.exec(words, check=check, cwd=CHECKOUT, timeout=600, env=env)

    def digests(self, i: int) -> list[str]:
        """Every file of ours and of nginx with its content's digest; not the mark of all of them,
        into which a file for root alone goes by its time."""
        folders = "/etc/systemd/system /etc/provision /etc/nginx /usr/local/lib/provision"
        line = f"find {folders} -type f ! -name answer.conf -exec sha256sum {{}} + 2>/dev/null"
        return sorted(self.fleet.ssh(i, line, check=False).stdout.splitlines())

    def state(self, i: int) -> tuple[list[str], list[str], str]:
        """Contents; what was written when; which run of each unit is under way."""
        folders = "/etc /usr/local /var/lib/provision"
        line = f"find {folders} -type f -printf '%p %T@\\n' 2>/dev/null"
        times = sorted(self.fleet.ssh(i, line, check=False).stdout.splitlines())
        runs = self.fleet.ssh(
            i, f"for u in {' '.join(UNITS)}; do systemctl show -p InvocationID --value $u; done"
        ).stdout
        return self.digests(i), times, runs

    def answer(self, i: int, key: str = KEY) -> tuple[int, str]:
        """A chat completion through host i's nginx, asked for over the network."""
        url = f"http://{self.fleet.hosts[i].address}:8080/v1/chat/completions"
        done = self.fleet.exec(
            [
                *("curl", "-s", "-m", "30", "-w", "\n%{http_code}", url, "-d", QUESTION),
                *("-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"),
            ]
        )
        body, _, code = done.stdout.rpartition("\n")
        return int(code), body


def recap(said: str) -> dict[str, dict[str, int]]:
    """Ansible's own count for each host."""
    lines = re.findall(r"^(h\d)\s+: (ok=.*)$", said, re.MULTILINE)
    return {
        host: {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", rest)}
        for host, rest in lines
    }


@pytest.fixture(scope="module")
def controller(fleet: Fleet) -> Iterator[Controller]:
    """In a folder with a short name: a socket of ssh's lies in it (107 characters)."""
    for i in range(len(NAMES)):
        line = "install -d -m 700 /etc/llm && umask 077 && cat > /etc/llm/keys"
        fleet.ssh(i, line, input=f"{KEY}\n")
        assert fleet.ssh(i, "ls -d /usr/local/lib/provision", check=False).returncode != 0
    with tempfile.TemporaryDirectory(prefix="ptb-c") as folder:
        one = Controller(fleet, Path(folder))
        one.write_inventory(spec())
        yield one


def test_facts_come_up(controller: Controller, tmp_path: Path) -> None:
    code, hosts, said = controller.provision("inspect", "--facts-dir", str(tmp_path))
    assert code == 0, said
    assert list(hosts) == list(NAMES)
    facts = json.loads((tmp_path / "h2.json").read_text())
    assert facts["stable"]["system"]["hostname"] == controller.fleet.hosts[2].name
    assert "/opt/models/tiny.gguf" in [one["path"] for one in facts["stable"]["paths"]]


def test_check_and_diff_predict_and_change_nothing(controller: Controller) -> None:
    before = [controller.state(i) for i in range(4)]
    code, hosts, said = controller.provision("apply", "--check", "--diff")
    assert code == 2, said
    assert all(one["changed"] and one["count"]["files"] > 8 for one in hosts.values()), said
    assert "10-provision.conf" in said and KEY not in said
    assert [controller.state(i) for i in range(4)] == before


def test_apply_brings_all_up_and_proves_it(controller: Controller) -> None:
    code, hosts, said = controller.provision("apply", "--yes")
    assert code == 0, said
    assert all(one["changed"] and one["verified"] for one in hosts.values()), said
    assert KEY not in said
    for i in range(4):
        status, body = controller.answer(i)
        assert status == 200, body
        assert json.loads(body)["usage"]["completion_tokens"] >= 1
        assert controller.answer(i, "sk-wrong")[0] == 401


def test_a_second_run_changes_nothing(controller: Controller) -> None:
    before = [controller.state(i) for i in range(4)]
    code, hosts, said = controller.provision("apply", "--yes")
    assert code == 0, said
    assert not any(one["changed"] for one in hosts.values()), said
    assert [controller.state(i) for i in range(4)] == before


def test_plain_ansible_predicts_the_same(controller: Controller) -> None:
    before = [controller.state(i) for i in range(4)]
    controller.write_inventory(spec(context=512))
    foreseen = controller.ansible("apply.yml", "--check", "--diff", "--limit", "h0,h1").stdout
    counts = recap(foreseen)
    assert {host: one["changed"] for host, one in counts.items()} == {"h0": 1, "h1": 1}
    assert "restart llama-server@chat.0.service" in foreseen
    assert [controller.state(i) for i in range(4)] == before
    controller.write_inventory(spec())


def test_plain_ansible_removes_and_brings_up_the_same_files(controller: Controller) -> None:
    """On one host; the others stand as they are wanted and are left alone."""
    others = [controller.state(i) for i in range(1, 4)]
    wanted = controller.digests(0)
    refused = controller.ansible("remove.yml", "--limit", "h0", check=False)
    assert refused.returncode != 0 and "provision_confirm=remove" in refused.stdout
    assert controller.digests(0) == wanted
    controller.ansible("remove.yml", "--limit", "h0", "-e", "provision_confirm=remove")
    gone = "! ls -d /etc/provision /usr/local/lib/provision /etc/nginx/conf.d/provision.conf"
    controller.fleet.ssh(0, f"{gone} && ! systemctl is-active llama-server@chat.0")
    counts = recap(controller.ansible("apply.yml").stdout)
    assert {host: one["changed"] for host, one in counts.items()} == {
        "h0": 1,
        "h1": 0,
        "h2": 0,
        "h3": 0,
    }
    assert [controller.state(i) for i in range(1, 4)] == others
    assert controller.digests(0) == wanted
    assert controller.answer(0)[0] == 200


def test_nobody_says_yes(controller: Controller) -> None:
    before = [controller.state(i) for i in range(4)]
    controller.write_inventory(spec(context=512))
    fleet = f"{sys.executable} -m provision fleet apply -i {controller.inventory} --limit h0,h2"
    # A pseudo-terminal, so that there is somebody to be asked.
    words = ["sh", "-c", f"echo n | script -qec '{fleet}' /dev/null"]
    done = controller.fleet.exec(words, check=False, cwd=CHECKOUT, timeout=300)
    assert done.returncode == 1
    assert "Apply on h0, h2?" in done.stdout and "nothing was changed" in done.stdout
    assert [controller.state(i) for i in range(4)] == before


def test_refused_and_lost_hosts_fail_alone(controller: Controller) -> None:
    unit = "/etc/systemd/system/llama-server@chat.0.service.d/10-provision.conf"
    controller.fleet.ssh(1, f"echo '# by hand' >> {unit}")
    controller.fleet.stop_host(3)
    controller.write_inventory(spec(context=512))

    # Host by host, and no further after the first that fails.
    batches = ("--serial", "1", "--max-fail-percentage", "0")
    code, hosts, said = controller.provision("apply", "--yes", *batches)
    assert code == 3, said
    states = {name: one["state"] for name, one in hosts.items()}
    assert states == {"h0": "ok", "h1": "failed", "h2": "untouched", "h3": "unreachable"}, said
    assert hosts["h0"]["changed"] and hosts["h0"]["verified"]

    code, hosts, said = controller.provision("apply", "--yes")
    assert code == 3, said
    states = {name: one["state"] for name, one in hosts.items()}
    assert states == {"h0": "ok", "h1": "failed", "h2": "ok", "h3": "unreachable"}, said
    assert not hosts["h0"]["changed"] and hosts["h2"]["changed"] and hosts["h2"]["verified"]
    assert hosts["h1"]["outcome"] == "conflict" and unit in hosts["h1"]["message"]
    assert controller.fleet.ssh(1, f"tail -n 1 {unit}").stdout == "# by hand\n"
    assert controller.answer(1)[0] == controller.answer(2)[0] == 200

    counts = recap(controller.ansible("verify.yml", "--limit", "h0,h3", check=False).stdout)
    assert counts["h3"]["unreachable"] == 1
    assert counts["h0"]["ok"] == 1 and counts["h0"]["failed"] == 0
