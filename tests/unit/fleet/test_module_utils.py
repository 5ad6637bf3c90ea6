"""What runs on a host before the agent can: the sentence for an interpreter that is too old."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .ansible_bed import PLAYBOOKS

OURS = sorted([*PLAYBOOKS.glob("library/*.py"), *PLAYBOOKS.glob("module_utils/*.py")])


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "provision_agent", PLAYBOOKS / "module_utils" / "provision_agent.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class EndedError(Exception):
    """AnsibleModule.fail_json ends the process; here it raises."""


class Host:
    """The one method of AnsibleModule that is reached."""

    def fail_json(self, **result: Any) -> None:
        raise EndedError(result["msg"])


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_every_python_that_ansible_accepts_can_read_our_modules(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 8))


def test_an_old_python_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = load()
    agent.need_python(Host())  # this one is new enough
    monkeypatch.setattr(agent, "MINIMUM", (99, 0))
    with pytest.raises(EndedError) as told:
        agent.need_python(Host())
    said = str(told.value)
    assert sys.executable in said and "ansible_python_interpreter" in said


def test_the_diff_of_a_secret_holds_no_text() -> None:
    agent = load()
    changes = {
        "files": [
            {"path": "/e", "action": "update", "secret": True, "before": "OLD", "after": "NEW"},
            {
                "path": "/m",
                "action": "update",
                "before": "x",
                "after": "x",
                "before_mode": 0o600,
                "after_mode": 0o644,
            },
            {"path": "/b", "action": "create", "note": "binary, 61 KiB"},
        ],
        "units": [{"unit": "a.service", "action": "restart", "why": "environment changed"}],
    }
    secret, mode, binary, units = agent.diff_of(changes)
    assert "OLD" not in str(secret) and "NEW" not in str(secret)
    assert secret["before"] != secret["after"]
    assert (mode["before"], mode["after"]) == ("mode 0600\n", "mode 0644\n")
    assert binary["before"] == "" and "61 KiB" in binary["after"]
    assert units["after"] == "restart a.service: environment changed\n"
