"""docs/reference/faults.md has a row for each fault that is tested, and no other."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

from provision.host.errors import Exit
from tests.system.faults.fault import ATTRIBUTE, Fault

CHECKOUT = Path(__file__).resolve().parents[3]
PAGE = CHECKOUT / "docs/reference/faults.md"
TESTS = sorted((CHECKOUT / "tests/system/faults").glob("test_*.py"))
KILLED = 137  # by the shell, for SIGKILL: the run itself cannot say anything


def proofs() -> list[Fault]:
    """The faults of all tests; a test without one is none of the table's."""
    found = []
    for path in TESTS:
        module = importlib.import_module(f"tests.system.faults.{path.stem}")
        for name, one in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_"):
                mark = getattr(one, ATTRIBUTE, None)
                assert isinstance(mark, Fault), f"{path.name}: {name} has no fault"
                found.append(mark)
    return found


def rows() -> list[list[str]]:
    """The cells of all rows but the heads."""
    lines = re.findall(r"^\| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    cells = [line.split(" | ") for line in lines]
    return [row for row in cells if row[0] != "what goes wrong"]


def test_page_and_tests_have_the_same_rows() -> None:
    written = [(row[0], int(row[1])) for row in rows()]
    proven = [(one.title, one.code) for one in proofs()]
    assert len(set(proven)) == len(proven)
    assert sorted(written) == sorted(proven)


def test_every_row_says_what_is_done_and_what_is_left() -> None:
    for row in rows():
        assert len(row) == 4 and all(cell.strip() for cell in row), row


def test_codes_mean_what_the_rows_say() -> None:
    """Code 6 alone leaves the journal; after 1, 3, 4 and 5 nothing is left."""
    for title, code, _, left in rows():
        assert int(code) in {*map(int, Exit), KILLED}, title
        if int(code) in (Exit.ERROR, Exit.CONFLICT, Exit.LOCKED, Exit.ROLLED_BACK):
            assert left.startswith("nothing"), title
        if int(code) == Exit.BROKEN:
            assert left.startswith("the journal") and "provision recover" in left, title
