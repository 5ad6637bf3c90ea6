"""The table of commands, and the fleet that may not be installed."""

from __future__ import annotations

from .conftest import shell

# Python that cannot find Ansible, as after `pip install llm-provision` without the extra.
_WITHOUT_ANSIBLE = """\
import sys
sys.modules.update({"ansible": None, "ansible_runner": None})
from provision.cli import main
main()
"""


def test_without_ansible_fleet_names_the_extra() -> None:
    for words in (("fleet",), ("fleet", "apply", "-i", "hosts.yaml"), ("fleet", "--limit", "x")):
        said = shell(*words, code=_WITHOUT_ANSIBLE)
        assert (said.code, said.out) == (1, ""), words
        assert "pip install 'llm-provision[fleet]'" in said.err
    assert "not installed" in shell("--help", code=_WITHOUT_ANSIBLE).out


def test_shell_completion_knows_the_commands() -> None:
    env = {"_PROVISION_COMPLETE": "bash_complete", "COMP_WORDS": "provision ", "COMP_CWORD": "1"}
    said = shell(env=env)
    assert {"plain,plan", "plain,apply", "plain,remove"} <= set(said.out.split())
