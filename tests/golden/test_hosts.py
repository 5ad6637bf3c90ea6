"""Recorded hosts: host.yaml and facts.json give exactly the tree in expected/."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.bundle import Bundle
from provision.host.document import dumps, loads
from provision.host.facts import Facts
from provision.plan.plan import Plan
from provision.plan.planner import make_plan
from provision.render.bundle import render
from provision.spec.read import read_spec

from .tree import check_tree, tree_of, write_tree

HOSTS = Path(__file__).parent / "hosts"
CASES = sorted(path.parent.name for path in HOSTS.glob("*/host.yaml"))


def plan_of(case: str) -> Plan:
    """The plan of a case, made as the command makes it."""
    folder = HOSTS / case
    read = read_spec((folder / "host.yaml").read_text(), f"{case}/host.yaml")
    return make_plan(read.spec, loads(Facts, (folder / "facts.json").read_text()), read.places)


def test_there_are_cases() -> None:
    assert len(CASES) >= 9


@pytest.mark.parametrize("case", CASES)
def test_renders_to_expected(case: str, update_golden: bool) -> None:
    files = tree_of(render(plan_of(case)))
    expected = HOSTS / case / "expected"
    if update_golden:
        write_tree(expected, files)
    check_tree(expected, files)


@pytest.mark.parametrize("case", CASES)
def test_documents_round_trip(case: str) -> None:
    plan = plan_of(case)
    assert loads(Plan, dumps(plan)) == plan
    bundle = render(plan)
    assert loads(Bundle, dumps(bundle)) == bundle
    facts = (HOSTS / case / "facts.json").read_text()
    assert dumps(loads(Facts, facts)) == facts


@pytest.mark.parametrize("case", CASES)
def test_every_instance_has_a_reason(case: str) -> None:
    plan = plan_of(case)
    for instance in plan.instances:
        texts = [one.text for one in plan.reasons if one.subject in (instance.name, instance.group)]
        assert any(any(c.isdigit() for c in text) for text in texts), instance.name
