"""Four hosts with two llama-server instances behind nginx each: provision, and Ansible by hand.

Each method gets hosts of its own that are as new, is run once to bring them up and once more with
nothing to do. The hosts are the containers of the system tests: root, the packages of
tests/system/testbed/packages.txt, less than a minute a method.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.system.testbed import image
from tests.system.testbed.fleet import Fleet

from .cost import Cost, Round, table

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
CGROUPS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
KEY = "sk-of-the-benchmark-0123456789"
HOSTS = 4
RUN_SECONDS = 240  # for one ansible-playbook; measured: under 25 on two cores
MACHINE = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORKS": "5"}
QUESTION = json.dumps(
    {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, "stream": False}
)


class WrongRunError(RuntimeError):
    """A run did not do what it was timed for, so its time is worth nothing."""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to bring the hosts up: ansible-playbook with these words."""

    name: str
    playbook: Path
    options: tuple[str, ...] = ()


APPLY = CHECKOUT / "playbooks" / "apply.yml"
A = Method("provision", APPLY)
A_UNPROVEN = Method("provision, no verify", APPLY, ("--skip-tags", "verify"))
B = Method("by hand", HERE / "idiomatic.yml")
METHODS = (A, A_UNPROVEN, B)
KINDS = ("first run", "nothing to do")
# --- one run -------------------------------------------------------------------------------------


def write_inventory(fleet: Fleet, folder: Path) -> Path:
    """The hosts, how to reach them and what either method wants to know; one file for both."""
    how = fleet.inventory()
    variables = {
        "ansible_user": how.user,
        "ansible_ssh_private_key_file": str(how.key),
        "ansible_ssh_common_args": f"{how.ssh_args} -o ControlPath={folder}/%C",
        "ansible_python_interpreter": how.python,
        "llm_key": KEY,
        "provision_spec": {
            "version": 1,
            "instances": {
                "chat": {
                    "engine": "llama-server",
                    "model": "/opt/models/tiny.gguf",
                    "gpus": 0,
                    "replicas": 2,
                    "context": 256,
                }
            },
            "proxy": {"listen": "{{ ansible_host }}:8080", "keys": {"file": "/etc/llm/keys"}},
        },
    }
    hosts = {f"h{i}": {"ansible_host": address} for i, address in enumerate(how.addresses)}
    path = folder / "hosts.json"
    path.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    return path


def playbook(fleet: Fleet, inventory: Path, method: Method, *more: str) -> str:
    """What ansible-playbook says; AssertionError with all of it when it fails or takes too long."""
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    words = [program, "-i", str(inventory), str(method.playbook), *method.options, *more]
    # Not by `timeout=` alone, which would leave Ansible's workers behind.
    bounded = ["timeout", "--kill-after=20", str(RUN_SECONDS), *words]
    done = fleet.exec(bounded, cwd=CHECKOUT, timeout=RUN_SECONDS + 60, env=MACHINE)
    return done.stdout


def run_once(fleet: Fleet, inventory: Path, method: Method) -> tuple[Cost, int]:
    """One run over cold ssh connections: what it cost, and how many changes it counted."""
    hosts_before, controller_before = hosts_cpu(fleet), children_cpu()
    began = time.monotonic()
    said = playbook(fleet, inventory, method)
    wall = time.monotonic() - began
    controller, hosts_after = children_cpu() - controller_before, hosts_cpu(fleet)
    hosts = None if hosts_before is None or hosts_after is None else hosts_after - hosts_before
    hang_up(fleet, inventory.parent)
    changed = re.findall(r"^h\d\s+: ok=\d+\s+changed=(\d+)\s", said, re.MULTILINE)
    if len(changed) != HOSTS:
        raise WrongRunError(f"{method.name}: no count of all hosts in\n{said}")
    return Cost(wall, controller, hosts), sum(map(int, changed))


def children_cpu() -> float:
    """CPU seconds, user and system, of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def hosts_cpu(fleet: Fleet) -> float | None:
    """CPU seconds of all hosts since they started (cgroup v2 counts them without a controller)."""
    total = 0
    for host in fleet.hosts:
        files = [path for top in CGROUPS if (path := top / host.name / "cpu.stat").exists()]
        found = re.search(r"^usage_usec (\d+)$", files[0].read_text(), re.M) if files else None
        if found is None:
            return None
        total += int(found.group(1))
    return total / 1e6


def hang_up(fleet: Fleet, folder: Path) -> None:
    """End the ssh connections that Ansible keeps, so that the next run does not find them."""
    for socket in sorted(path for path in folder.iterdir() if path.is_socket()):
        words = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "host"]
        fleet.exec(words, check=False, timeout=10)


def answers(fleet: Fleet, key: str) -> list[tuple[int, str]]:
    """Status and body of a chat completion through the nginx of each host."""
    found = []
    for host in fleet.hosts:
        url = f"http://{host.address}:8080/v1/chat/completions"
        words = [
            *("curl", "-s", "-m", "30", "-w", "\n%{http_code}", url, "-d", QUESTION),
            *("-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"),
        ]
        body, _, code = fleet.exec(words, timeout=40).stdout.rpartition("\n")
        found.append((int(code), body))
    return found


# --- rounds --------------------------------------------------------------------------------------


def measure(method: Method, cache: Path) -> dict[tuple[str, str], Cost]:
    """New hosts, brought up and run again; between and after, that they serve is checked."""
    costs: dict[tuple[str, str], Cost] = {}
    with Fleet.up(HOSTS, cache) as fleet, tempfile.TemporaryDirectory(prefix="ptb-b") as name:
        inventory = write_inventory(fleet, Path(name))
        for i in range(HOSTS):
            line = "install -d -m 700 /etc/llm && umask 077 && cat > /etc/llm/keys"
            fleet.ssh(i, line, input=f"{KEY}\n")
        playbook(fleet, inventory, method, "--syntax-check")  # and Ansible's files are in memory
        for kind in KINDS:
            cost, changed = run_once(fleet, inventory, method)
            if (changed == 0) != (kind == "nothing to do"):
                raise WrongRunError(f"{method.name}, {kind}: {changed} changes")
            costs[method.name, kind] = cost
            say(f"  {method.name}, {kind}: {cost}")
            served, refused = answers(fleet, KEY), answers(fleet, "sk-wrong")
            if any(code != 200 or '"completion_tokens"' not in body for code, body in served):
                raise WrongRunError(f"{method.name}, {kind}: {served}")
            if any(code != 401 for code, _ in refused):
                raise WrongRunError(f"{method.name}, {kind}: a wrong key is served: {refused}")
    return costs


def rounds(repeat: int, minutes: float, cache: Path) -> Iterator[Round]:
    """All methods `repeat` times, each round in another order; none that would end too late."""
    deadline, longest = time.monotonic() + 60 * minutes, 0.0
    for number in range(repeat):
        began = time.monotonic()
        if number and began + longest > deadline:
            say(f"{minutes:g} minutes: stopped after {number} rounds")
            return
        turn = number % len(METHODS)
        say(f"round {number + 1} of {repeat}")
        costs: dict[tuple[str, str], Cost] = {}
        for method in (*METHODS[turn:], *METHODS[:turn]):
            costs |= measure(method, cache)
        yield costs
        longest = max(longest, time.monotonic() - began)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# --- the command line ----------------------------------------------------------------------------


def main(words: Sequence[str]) -> int:
    """Print the table. Exit 0; 1 when a run failed or did something else; 64 without the means."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks fleet")
    parser.add_argument("--repeat", type=int, default=3, metavar="R", help="rounds (default: 3)")
    parser.add_argument(
        "--minutes", type=float, default=20, help="begin no round that ends later (default: 20)"
    )
    options = parser.parse_args(words)
    if options.repeat < 1 or options.minutes <= 0:
        parser.error("--repeat is 1 or more, --minutes more than 0")
    missing = image.missing_packages()
    if os.geteuid() != 0 or missing:
        say(f"needs root and the packages of the system tests (missing: {missing or 'none'})")
        return 64
    cache = image.cache_folder()
    image.build(cache)
    done: list[Round] = []
    try:
        done.extend(rounds(options.repeat, options.minutes, cache))
    except (AssertionError, WrongRunError, RuntimeError, subprocess.SubprocessError) as error:
        say(str(error))
        return 1
    print(f"Medians of {len(done)} rounds; ratios of each round, median (smallest to largest).\n")
    versus = [(B.name, A.name), (B.name, A_UNPROVEN.name)]
    print(table(done, [method.name for method in METHODS], KINDS, versus))
    return 0
