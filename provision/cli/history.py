"""provision history"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from provision.host.errors import Exit

from .options import json_option, root_option

if TYPE_CHECKING:
    from provision.host.bundle import Bundle
    from provision.host.files import Files


@dataclass(frozen=True, slots=True)
class Entry:
    """One generation, without its files (they hold secrets). at: seconds of the wall clock.

    engines: with the versions that were found when it was planned, `vllm 0.11.0`.
    of: the generation that was applied again by a rollback. now: it is what stands now.
    """

    number: int
    at: int
    note: str
    tool: str
    now: bool
    instances: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    of: int | None = None
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The answer of `provision history`, oldest generation first."""

    VERSION: ClassVar[int] = 1
    version: int
    generations: tuple[Entry, ...] = ()


@click.command("history", short_help="The generations that are kept, and which one stands now.")
@root_option
@json_option
def history_command(root: Path | None, as_json: bool) -> Exit:
    """List what was applied here: when, by which command, with which instances and engines.

    The last ten generations are kept, and those that have a checkpoint's name. `provision rollback
    GENERATION` applies one of them again, `provision diff --from GENERATION` shows what has changed
    since. Needs root, but not with --root.
    """
    from provision.cli import inputs, outputs
    from provision.cli.privilege import demand_root

    if root is not None:
        inputs.must_be_there(root)
    files = inputs.files_at(root)
    demand_root(files, "what was applied is kept for root alone")
    found = history_of(files)
    if as_json:
        outputs.put_document(found)
    else:
        show_history(found)
    return Exit.OK


def history_of(files: Files) -> History:
    """The kept generations as a document."""
    from provision import pipeline
    from provision.host.transaction.state import load_state

    state = load_state(files)
    current = state.generation if state else None
    return History(
        1,
        tuple(
            Entry(
                number=one.number,
                at=one.at,
                note=one.note,
                tool=one.bundle.tool,
                now=one.number == current,
                instances=tuple(each.name for each in one.bundle.instances),
                engines=_engines(one.bundle),
                of=one.of,
                checkpoint=one.checkpoint,
            )
            for one in pipeline.history(files)
        ),
    )


def _engines(bundle: Bundle) -> tuple[str, ...]:
    told = {f"{one.engine} {one.version or ''}".strip() for one in bundle.instances}
    return tuple(sorted(told))


def show_history(found: History) -> None:
    """A line a generation; `now` beside the one that stands."""
    from provision.cli.moment import when
    from provision.cli.screen import Table, put

    if not found.generations:
        put("Nothing was applied here.")
        return
    head = ("generation", "applied", "by", "provision", "checkpoint", "instances")
    table = Table(head, wrap=True)
    for one in found.generations:
        number = f"{one.number} now" if one.now else str(one.number)
        note = one.note
        if one.of is not None and str(one.of) not in note.split():
            note = f"{note} ({one.of} again)"
        instances = in_short(one.instances)
        if one.engines:
            instances += f" ({', '.join(one.engines)})"
        table.row(number, when(one.at), note, one.tool, one.checkpoint or "", instances)
    table.show()


def in_short(instances: Iterable[str]) -> str:
    """`chat, small x4`: groups with the number of their replicas (chat.0, small.0, small.1 ...)."""
    groups = Counter(name.rpartition(".")[0] or name for name in instances)
    return ", ".join(f"{name} x{number}" if number > 1 else name for name, number in groups.items())
