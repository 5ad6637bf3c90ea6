"""Engines that were replaced where they lie, since a generation was applied."""

from __future__ import annotations

from ..bundle import Bundle
from ..errors import Diagnostic
from ..inspect.software.engines import versions_of
from ..inspect.source import LiveSource, Source

_HINT = (
    "a generation names an engine by its path: what lies there now is started; install the other"
    " version again first if it has to be that one"
)


def other_versions(bundle: Bundle, source: Source | None = None) -> tuple[Diagnostic, ...]:
    """A warning for each program that has another version now than when the bundle was planned.

    Where either is not known nothing is said. source: the running machine by default.
    """
    then = {one.program: one.version for one in bundle.instances if one.version}
    now = versions_of(source or LiveSource(), then)
    moved = sorted((path, now[path]) for path in now if now[path] != then[path])
    return tuple(
        Diagnostic(
            "engine-version",
            f"{path} has version {version} now, and had {then[path]} then",
            hint=_HINT,
            severity="warning",
        )
        for path, version in moved
    )
