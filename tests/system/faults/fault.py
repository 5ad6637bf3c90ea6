"""One row of the fault table, as a mark on the test that proves it.

docs/reference/faults.md has the same rows with the same codes; tests/unit/docs/test_faults.py
holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])
ATTRIBUTE = "fault"


@dataclass(frozen=True, slots=True)
class Fault:
    """title: the first cell of the row. code: what the command ends with that meets the fault."""

    title: str
    code: int


def fault(title: str, code: int) -> Callable[[Test], Test]:
    """Mark a test as the proof of a row; its argument `code` is the row's exit code."""

    def mark(test: Test) -> Test:
        setattr(test, ATTRIBUTE, Fault(title, code))
        return test

    return mark
