"""All complaints of a plan, gathered with their places in host.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from provision.host.errors import Diagnostic, Place, ProvisionError, Severity


class Places(Protocol):
    """Where a value of the spec stands; provision.spec.read makes it."""

    def at(self, *path: str | int, key: bool = False) -> Place | None: ...


class Complaints:
    """Collects errors and warnings; the same sentence is kept once (replicas repeat them)."""

    def __init__(self, places: Places | None = None) -> None:
        self._places = places
        self._found: list[Diagnostic] = []

    def add(self, found: Diagnostic, *path: str | int) -> None:
        """Keep a complaint, placed at this path of the spec or the nearest one above it."""
        if found.place is None:
            found = replace(found, place=self._place(path))
        if all((one.rule, one.message) != (found.rule, found.message) for one in self._found):
            self._found.append(found)

    def error(self, rule: str, message: str, *path: str | int, hint: str | None = None) -> None:
        self._say("error", rule, message, path, hint)

    def warning(self, rule: str, message: str, *path: str | int, hint: str | None = None) -> None:
        self._say("warning", rule, message, path, hint)

    def about(self, key: str, group: str) -> bool:
        """Whether an error has been found already about this key of a group."""
        place = self._place(("instances", group, key))
        return any(
            one.severity == "error"
            and one.message.startswith((f"{group}:", f"{group}."))
            and (place is None or one.place is None or one.place.line == place.line)
            for one in self._found
        )

    @property
    def failed(self) -> bool:
        return any(one.severity == "error" for one in self._found)

    def warnings(self) -> tuple[Diagnostic, ...]:
        """Warnings and notes in the order in which they were found."""
        return tuple(one for one in self._found if one.severity != "error")

    def raise_errors(self) -> None:
        """Raise ProvisionError with all that was found if an error is among it, warnings last."""
        if self.failed:
            errors = [one for one in self._found if one.severity == "error"]
            raise ProvisionError(*sorted(errors, key=_by_place), *self.warnings())

    def _say(
        self,
        severity: Severity,
        rule: str,
        message: str,
        path: Iterable[str | int],
        hint: str | None,
    ) -> None:
        self.add(Diagnostic(rule, message, hint=hint, severity=severity), *path)

    def _place(self, path: tuple[str | int, ...]) -> Place | None:
        if self._places is None:
            return None
        for length in range(len(path), 0, -1):
            place = self._places.at(*path[:length])
            if place is not None:
                return place
        return None


def _by_place(found: Diagnostic) -> tuple[str, int, int]:
    place = found.place
    return (place.file, place.line, place.column) if place else ("", 0, 0)
