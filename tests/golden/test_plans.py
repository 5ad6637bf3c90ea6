"""Whole plans of (machine, host.yaml) pairs: the screen and the reasoning, or the refusal.

Each case is a folder with host.yaml, facts.json and expected/: plan.txt and explain.txt as
`provision plan` and `plan --explain` print them at 100 columns, replan.txt where something runs
already, or error.txt alone.
"""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from provision.cli.ending import code_of
from provision.host.document import dumps, loads
from provision.host.facts import Facts
from provision.plan.plan import Plan
from provision.plan.planner import make_plan
from provision.spec.read import read_spec

from .tree import check_tree, write_tree

PLANS = Path(__file__).parent / "plans"
CASES = sorted(path.parent.name for path in PLANS.glob("*/host.yaml"))
REFUSED = [case for case in CASES if (PLANS / case / "expected/error.txt").exists()]


def facts_of(case: str) -> Facts:
    return loads(Facts, (PLANS / case / "facts.json").read_text())


def said(case: str, *options: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `provision plan`."""
    out, err = io.StringIO(), io.StringIO()
    before = Path.cwd()
    os.chdir(PLANS / case)  # paths stand in messages, and lines are wrapped after that
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = code_of(["plan", "host.yaml", "--facts", "facts.json", *options])
    finally:
        os.chdir(before)
    return code, out.getvalue(), err.getvalue()


def files_of(case: str) -> dict[str, str]:
    code, out, err = said(case)
    if code:
        assert code == 1, err
        return {"error.txt": err}
    files = {"plan.txt": out}
    groups = read_spec((PLANS / case / "host.yaml").read_text(), case).spec.instances
    files["explain.txt"] = "\n".join(said(case, "--explain", group)[1] for group in groups)
    if facts_of(case).volatile.placed:
        files["replan.txt"] = said(case, "--replan")[1]
    return files


def test_there_are_cases() -> None:
    assert len(CASES) >= 25
    assert len(REFUSED) >= 8


@pytest.mark.parametrize("case", CASES)
def test_plan(case: str, update_golden: bool) -> None:
    files = files_of(case)
    expected = PLANS / case / "expected"
    if update_golden:
        write_tree(expected, files)
    check_tree(expected, files)


@pytest.mark.parametrize("case", CASES)
def test_screens_are_whole(case: str) -> None:
    for name, text in files_of(case).items():
        if name != "error.txt":
            assert max(map(len, text.splitlines())) <= 100, name


@pytest.mark.parametrize("case", [case for case in CASES if case not in REFUSED])
def test_documents_round_trip(case: str) -> None:
    read = read_spec((PLANS / case / "host.yaml").read_text(), case)
    plan = make_plan(read.spec, facts_of(case), read.places)
    assert loads(Plan, dumps(plan)) == plan
