"""provision rollback [GENERATION]"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provision.host.errors import Exit

from . import complaint
from .options import (
    adopt_option,
    check_option,
    json_option,
    no_downtime_option,
    overwrite_option,
    root_option,
    steady_option,
    yes_option,
)
from .outcome import show_foreseen, tell
from .screen import put

if TYPE_CHECKING:
    from provision.host.files import Files
    from provision.host.report import ApplyResult
    from provision.host.transaction.generations import Generation
    from provision.host.transaction.options import ApplyOptions

_NOTHING = "Nothing to change: this is what stands here."


@click.command("rollback", short_help="Apply an earlier generation again.")
@click.argument("generation", metavar="[GENERATION]", required=False)
@check_option
@yes_option
@no_downtime_option
@steady_option
@adopt_option
@overwrite_option
@root_option
@json_option
def rollback_command(
    generation: str | None,
    check: bool,
    yes: bool,
    no_downtime: bool,
    steady_seconds: float,
    adopt: bool,
    overwrite: bool,
    root: Path | None,
    as_json: bool,
) -> int:
    """Apply GENERATION again, by the same transaction as ever: show it, ask, do it, prove it.

    GENERATION is a number of `provision history` or a checkpoint's name; without it, what stood
    before the present one; 0: before the first apply (like `provision remove`). It becomes a new
    generation, so that a rollback can be rolled back. Needs root, but not with --root.
    """
    from provision.cli import asking, inputs
    from provision.cli.changes_screen import summary
    from provision.cli.generation import generation_meant
    from provision.cli.outputs import put_document
    from provision.cli.privilege import demand_root
    from provision.host.transaction.options import ApplyOptions

    if root is not None:
        inputs.must_be_there(root)
    files = inputs.files_at(root)
    demand_root(files, "rollback changes files and services")
    if not check:
        asking.demand_somebody(yes)
    number = None if generation is None else generation_meant(files, generation)
    options = ApplyOptions(
        adopt=adopt,
        overwrite=overwrite,
        no_downtime=no_downtime,
        steady_seconds=steady_seconds,
    )
    foreseen = _foreseen(files, number, options, staged=check or not yes)
    if check and as_json:
        put_document(foreseen)
    if not as_json and not foreseen.changes.empty:
        put(_where_to(files, number), bold=True)
        put()
        show_foreseen(foreseen.changes)
        sys.stdout.flush()
    complaint.show(foreseen.problems)
    if check and foreseen.changes.empty and not as_json:
        put(_NOTHING)
    if check or foreseen.exit_code in (Exit.CONFLICT, Exit.ERROR):
        return foreseen.exit_code
    question = f"{summary(foreseen.changes)}. Go on?"
    if not foreseen.changes.empty and not asking.agreed(question, yes):
        print("nothing was changed", file=sys.stderr)
        return Exit.ERROR
    return _bring(files, number, options, as_json)


def _foreseen(files: Files, number: int | None, options: ApplyOptions, staged: bool) -> ApplyResult:
    """What it would change, what stands in its way, and what it does not bring back."""
    from provision import pipeline

    found = pipeline.check_rollback(files, number, options, staged=staged)
    target = _target(files, number)
    if target is None or not files.live:
        return found
    moved = pipeline.other_engine_versions(target.bundle)
    return dataclasses.replace(found, problems=(*found.problems, *moved))


def _target(files: Files, number: int | None) -> Generation | None:
    """The generation that is going to be applied again; None for `before the first apply`."""
    from provision import pipeline
    from provision.host.transaction.generations import before
    from provision.host.transaction.state import load_state

    kept, state = pipeline.history(files), load_state(files)
    if number is None:
        return before(kept, state) if state else None
    return next((one for one in kept if one.number == number), None)


def _where_to(files: Files, number: int | None) -> str:
    """`Back to generation 9 (before-upgrade), applied 2026-11-21 14:02: chat, small x4`."""
    from provision.cli.history import in_short
    from provision.cli.moment import when

    if number == 0:
        return "Back to before the first apply: all that provision brought is taken away"
    target = _target(files, number)
    if target is None:
        return "Back"  # another run has taken it away meanwhile: the rollback says so
    name = f" ({target.checkpoint})" if target.checkpoint else ""
    instances = in_short(one.name for one in target.bundle.instances)
    return f"Back to generation {target.number}{name}, applied {when(target.at)}: {instances}"


def _bring(files: Files, number: int | None, options: ApplyOptions, as_json: bool) -> int:
    """Roll back, with progress."""
    from provision import pipeline
    from provision.cli.moment import lasting
    from provision.cli.progress import printer

    begin = time.monotonic()
    result = pipeline.rollback(files, printer(), number, options)
    took = lasting(time.monotonic() - begin)
    where = "" if files.live else f" --root {files.root}"
    done = f"Rolled back in {took}: nothing is applied any more."
    if result.generation:
        undo = f"Undo: provision rollback {result.generation - 1}{where}"
        done = f"Rolled back in {took}, as generation {result.generation}. {undo}"
    return tell(result, as_json, done, _NOTHING)
