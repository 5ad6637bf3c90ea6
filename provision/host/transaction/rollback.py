"""Rollback: what a kept generation held is applied again, by the same transaction as ever."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ..errors import fail
from ..files import Files
from ..report import ApplyResult, Step
from .apply import bring, check_bundle
from .generations import Generation, before, history, load_generation
from .lock import hold
from .options import ApplyOptions
from .remove import remove
from .state import load_state
from .steps import Steps


def rollback(
    files: Files,
    progress: Callable[[Step], None],
    number: int | None = None,
    options: ApplyOptions | None = None,
) -> ApplyResult:
    """Apply generation `number` again (None: the one before what stands now; 0: remove all).

    It becomes a new generation whose `of` names the old one.
    ProvisionError `no-generation` names those that there are.
    """
    if number == 0:
        return remove(files, progress)
    wished = options or ApplyOptions()
    with hold(files):
        target = _target(files, number)
        if wished.note == ApplyOptions().note:
            wished = dataclasses.replace(wished, note=f"rollback to {target.origin}")
        return bring(target.bundle, files, Steps(progress), wished, target.origin)


def check_rollback(
    files: Files,
    number: int | None = None,
    options: ApplyOptions | None = None,
    *,
    staged: bool = True,
) -> ApplyResult:
    """What it would do and what would stop it; writes nothing. staged: as apply.check has it."""
    if number == 0:
        return remove(files, lambda _: None, check=True)
    target = _target(files, number)
    return check_bundle(
        target.bundle, files, options or ApplyOptions(), target.origin, staged=staged
    )


def _target(files: Files, number: int | None) -> Generation:
    state = load_state(files)
    if state is None:
        raise fail("nothing-applied", "nothing was applied on this host", "provision apply first")
    if number is not None:
        return load_generation(files, number)
    found = before(history(files), state)
    if found is None:
        raise fail(
            "no-generation",
            f"no generation older than {state.generation} is kept",
            "provision remove goes back to before the first apply",
        )
    return load_generation(files, found.number)
