"""A playbook over many hosts through ansible-runner, with a word for each host as it goes."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision.host.errors import fail

from .events import Fold
from .playbooks import Verb, playbook
from .result import FleetResult, HostResult

# Ansible's own default of 5 at a time is for small machines; an agent's run costs the controller
# about 0.6 CPU seconds, mostly ssh.
FORKS = 25


@dataclass(frozen=True, slots=True)
class Rollout:
    """What to run. inventory: files, folders or `host1,host2,` lists, as ansible-playbook -i."""

    verb: Verb
    inventory: tuple[str, ...]
    limit: str | None = None
    check: bool = False
    diff: bool = False
    verify: bool = True
    forks: int = FORKS
    variables: Mapping[str, Any] | None = None  # extra variables of the playbook
    verbosity: int = 0  # of ansible-playbook, for its own log in `said`


@dataclass(frozen=True, slots=True)
class Progress:
    """Called while the playbook runs: hosts whose fate is decided, and phases that begin."""

    ended: Callable[[HostResult], None]
    phase: Callable[[str], None]  # the module's name


def run(rollout: Rollout, progress: Progress) -> FleetResult:
    """Run the verb's playbook to its end.

    ProvisionError when Ansible could not even begin (inventory, playbook); a host that fails is
    no exception but stands in the result.
    """
    import ansible_runner  # the extra llm-provision[fleet]; slow to import

    fold = Fold(rollout.verb, rollout.check, rollout.verify)
    handler = _Handler(fold, progress)
    with tempfile.TemporaryDirectory(prefix="provision-fleet-") as folder:  # 0700
        runner = ansible_runner.run(
            private_data_dir=folder,
            project_dir=str(Path.cwd()),  # relative paths and ansible.cfg mean what they look like
            playbook=str(playbook(rollout.verb)),
            inventory=[_inventory(one) for one in rollout.inventory],
            limit=rollout.limit,
            cmdline=_options(rollout),
            extravars=dict(rollout.variables or {}),
            envvars=_environment(),
            verbosity=rollout.verbosity or None,
            forks=rollout.forks,
            event_handler=handler.handle,
            quiet=True,
        )
        said = _last_words(runner)
    if runner.status == "canceled":  # ansible-runner takes SIGINT for itself
        raise KeyboardInterrupt
    if not fold.hosts:
        raise _never_began(fold, said)
    return fold.result()


@dataclass
class _Handler:
    fold: Fold
    progress: Progress
    phase: str = ""

    def handle(self, event: Mapping[str, Any]) -> bool:
        """Fold one event. True: ansible-runner drops what it is not told to keep, its own
        statistics included (2.4.3, Runner.event_callback)."""
        for one in self.fold.take(event):
            self.progress.ended(one)
        if event.get("event") == "runner_on_start" and self.phase != self.fold.phase:
            self.phase = self.fold.phase
            self.progress.phase(self.phase)
        return True


def _inventory(one: str) -> str:
    if "," in one:
        return one  # a list of host names, as ansible-playbook takes it
    path = Path(one).expanduser()
    if not path.exists():
        raise fail(
            "no-inventory",
            f"there is no inventory {one}",
            "-i names an Ansible inventory: inventory/hosts.yaml is an example",
        )
    return str(path.resolve())


def _options(rollout: Rollout) -> str:
    words = ["--check"] if rollout.check else []
    words += ["--diff"] if rollout.diff else []
    words += ["--skip-tags verify"] if not rollout.verify else []
    return " ".join(words)


def _environment() -> dict[str, str]:
    """Defaults that the user's own environment or ansible.cfg section may not lack."""
    wanted = {
        "ANSIBLE_PIPELINING": "True",  # one round trip a task instead of four
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",  # else a broken inventory is an empty one
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOLOR": "True",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    found = {name: os.environ.get(name, value) for name, value in wanted.items()}
    # The ansible-playbook beside our own Python is the one that can import provision.
    beside = str(Path(sys.executable).parent)
    return {**found, "PATH": os.pathsep.join((beside, os.environ.get("PATH", os.defpath)))}


def _last_words(runner: Any) -> str:
    out = getattr(runner, "stdout", None)
    if out is None:
        return ""
    with out:
        lines = [line.strip() for line in out.read().splitlines() if line.strip()]
    return "\n".join(lines[-12:])


def _never_began(fold: Fold, said: str) -> Exception:
    what = "\n".join(dict.fromkeys(fold.complaints)) or said or "ansible-playbook said nothing"
    return fail(
        "fleet",
        f"the fleet's run did not begin: {what}",
        "ansible-inventory -i FILE --graph shows what an inventory holds",
    )
