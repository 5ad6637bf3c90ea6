"""The list that the rules write into: complaints with their places."""

from __future__ import annotations

from dataclasses import dataclass, field

from provision.host.errors import Diagnostic

from .places import Places
from .subject import one_line


@dataclass(slots=True)
class Complaints:
    """Collects diagnostics. A spec made in memory has no places, nor have its complaints."""

    places: Places | None = None
    found: list[Diagnostic] = field(default_factory=list)

    def add(
        self,
        rule: str,
        message: str,
        *path: str | int,
        hint: str | None = None,
        key: bool = False,
    ) -> None:
        """Complain about the value at this path, or about its key.

        What stands nowhere in the file is complained about at whatever should hold it.
        """
        place = None
        if self.places:
            place = self.places.at(*path, key=key) or self.places.nearest(*path)
            place = place or self.places.start()
        hint = one_line(hint) if hint else None
        self.found.append(Diagnostic(rule, one_line(message), place, hint))
