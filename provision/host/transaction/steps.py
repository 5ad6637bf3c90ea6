"""Steps of a run: told as they happen and kept for the result."""

from __future__ import annotations

from collections.abc import Callable

from ..report import Step

Tell = Callable[[Step], None]


class Steps:
    """The list of what was done so far; every entry is also passed on at once."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.done: list[Step] = []

    def add(
        self, subject: str, text: str, *, ok: bool = True, seconds: float | None = None
    ) -> None:
        """One thing is done, or failed."""
        step = Step(subject, text, ok, seconds)
        self.done.append(step)
        self._tell(step)
