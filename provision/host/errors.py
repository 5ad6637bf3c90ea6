"""What is said when something is wrong, and the exit codes that go with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Severity = Literal["error", "warning", "note"]


class Exit(IntEnum):
    """Exit codes of every command (documented in docs/reference/exit-codes.md)."""

    OK = 0
    ERROR = 1  # the spec, the plan or the host's state does not allow it; nothing was changed
    DIFFERS = 2  # diff, apply --check: the host differs from what is wanted
    CONFLICT = 3  # a file is owned by somebody else or was edited by hand; nothing was changed
    LOCKED = 4  # another run holds the host
    ROLLED_BACK = 5  # apply failed and the old state is back in place
    BROKEN = 6  # apply failed and could not be undone completely
    NOT_AS_PLANNED = 7  # verify or status: something is not as planned
    USAGE = 64  # wrong options


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file. line and column count from 1; text is the whole line."""

    file: str
    line: int
    column: int
    text: str = ""
    length: int = 1


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One complaint: what is wrong (with its value and the allowed range), where, and a remedy.

    rule is a short stable name such as `unknown-key` or `port-taken`.
    """

    rule: str
    message: str
    place: Place | None = None
    hint: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        lines: list[str] = []
        where = f"{self.place.file}:{self.place.line}:{self.place.column}: " if self.place else ""
        lines.append(f"{where}{self.severity}: {self.message}")
        if self.place and self.place.text.strip():
            number = f"{self.place.line:>4} | "
            text = self.place.text.expandtabs(1)
            lines.append(number + text)
            room = max(1, min(self.place.length, len(text) - self.place.column + 1))
            lines.append(" " * 5 + "| " + " " * (self.place.column - 1) + "^" * room)
        if self.hint:
            lines.append(f"   hint: {self.hint}")
        return "\n".join(lines)


class ProvisionError(Exception):
    """An end of the run that a person is told about: diagnostics and an exit code."""

    def __init__(self, *diagnostics: Diagnostic, exit_code: Exit = Exit.ERROR) -> None:
        super().__init__("\n".join(str(one) for one in diagnostics))
        self.diagnostics = diagnostics
        self.exit_code = exit_code


def fail(
    rule: str, message: str, hint: str | None = None, *, exit_code: Exit = Exit.ERROR
) -> ProvisionError:
    """A ProvisionError of one complaint without a place, to be raised by the caller."""
    return ProvisionError(Diagnostic(rule, message, hint=hint), exit_code=exit_code)
