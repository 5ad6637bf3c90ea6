"""ansible-playbook on this machine, applying into scratch roots: real modules, real agent."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]
PLAYBOOKS = CHECKOUT / "playbooks"
RECORDED = CHECKOUT / "tests" / "golden" / "hosts"
KEY = "sk-sentinel-of-a-key-that-nobody-may-see"

# Recorded facts instead of an inspection, and a root a host; the rest is what apply.yml does.
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Render
      provision_render:
        hosts: "{{ ansible_play_hosts }}"
        facts_dir: "{{ facts_dir }}"
      run_once: true
      register: rendered
    - name: Refused
      ansible.builtin.fail:
        msg: "{{ rendered.hosts[inventory_hostname].msg }}"
      when: rendered.hosts[inventory_hostname].msg is defined
    - name: Apply
      provision_apply:
        src: "{{ rendered.hosts[inventory_hostname].bundle }}"
        root: "{{ root }}"
      register: applied
    - name: Where it lay
      ansible.builtin.debug:
        msg: "bundle={{ rendered.hosts[inventory_hostname].bundle }}"
"""


@dataclass(frozen=True)
class Ran:
    """How a playbook ended."""

    code: int
    out: str

    def recap(self, host: str) -> dict[str, int]:
        """The host's line of the recap."""
        line = next(one for one in self.out.splitlines() if re.match(rf"{host}\s+: ok=", one))
        return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)}


@dataclass(frozen=True)
class Bed:
    """A folder with an inventory whose hosts are scratch roots below it."""

    folder: Path

    def root(self, host: str) -> Path:
        return self.folder / "roots" / host

    def spec(self, host: str, spec: Mapping[str, Any], recorded: str) -> None:
        """Give a host its spec, recorded facts, and a file of keys on its disk."""
        for name in ("host_vars", "facts"):
            (self.folder / name).mkdir(exist_ok=True)
        variables = {"provision_spec": spec, "root": str(self.root(host))}
        (self.folder / "host_vars" / f"{host}.json").write_text(json.dumps(variables))
        shutil.copy(RECORDED / recorded / "facts.json", self.folder / "facts" / f"{host}.json")
        keys = self.root(host) / "etc" / "llm" / "keys"
        keys.parent.mkdir(parents=True, exist_ok=True)
        keys.write_text(f"{KEY}\n")
        keys.chmod(0o600)
        hosts = sorted(path.stem for path in (self.folder / "host_vars").iterdir())
        (self.folder / "hosts").write_text("\n".join([*hosts, ""]))

    def play(self, *options: str, text: str = PLAYBOOK, **variables: str) -> Ran:
        """Run a playbook over all hosts, with the modules of the checkout."""
        playbook = self.folder / "play.yml"
        playbook.write_text(text)
        (self.folder / "no-ansible.cfg").touch()  # the developer's own must not take part
        extra = {"facts_dir": str(self.folder / "facts"), **variables}
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                *("-i", str(self.folder / "hosts"), "-c", "local"),
                *("-e", json.dumps(extra), *options, str(playbook)),
            ],
            env={**os.environ, **environment(self.folder)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ran(done.returncode, done.stdout + done.stderr)


def environment(folder: Path) -> dict[str, str]:
    """How docs/how-to/fleet.md says that playbooks elsewhere find the modules."""
    return {
        "ANSIBLE_LIBRARY": str(PLAYBOOKS / "library"),
        "ANSIBLE_ACTION_PLUGINS": str(PLAYBOOKS / "action_plugins"),
        "ANSIBLE_MODULE_UTILS": str(PLAYBOOKS / "module_utils"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "local-tmp"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote-tmp"),
        "ANSIBLE_CONFIG": str(folder / "no-ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
