"""Confirmation: an apply that is rolled back by itself unless somebody says that it is good."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from .. import systemd
from ..bundle import Bundle
from ..document import dumps, loads
from ..errors import fail
from ..files import Files
from .lock import hold
from .options import ApplyOptions
from .state import AGENT_FOLDER, FOLDER, State, load_state

CONFIRMATION = f"{FOLDER}/confirm.json"
TIMER = "provision-unconfirmed"  # transient: provision-unconfirmed.timer and .service
_AFTER_BOOT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What waits to be confirmed. deadline: seconds of the wall clock, for people: the timer's own
    clock is monotonic. back_to 0: remove all. python: runs the agent then."""

    VERSION: ClassVar[int] = 1
    version: int
    transaction: str
    generation: int
    back_to: int
    deadline: int
    python: str


def awaited(files: Files) -> Confirmation | None:
    """What waits to be confirmed; None when nothing does."""
    text = files.read(CONFIRMATION)
    if text is None:
        return None
    found = loads(Confirmation, text, CONFIRMATION)
    state = load_state(files)
    # Of a run that never came to its commit there is nothing to be confirmed.
    return found if state and state.transaction == found.transaction else None


def confirm(files: Files) -> Confirmation:
    """Keep what was applied; ProvisionError `nothing-to-confirm`."""
    with hold(files):
        found = awaited(files)
        if found is None:
            raise fail("nothing-to-confirm", "no apply waits to be confirmed")
        disarm(files, found.transaction)
        return found


def arm(
    files: Files, bundle: Bundle, state: State, last: State | None, options: ApplyOptions
) -> None:
    """Just before the commit: note what waits, and start the timer where --confirm asks for it.

    A timer of systemd's own: it goes off whether or not the session that applied is still there.
    """
    if options.confirm_seconds is None:
        return
    seconds = options.confirm_seconds
    found = Confirmation(
        version=Confirmation.VERSION,
        transaction=state.transaction,
        generation=state.generation,
        back_to=last.generation if last else 0,
        deadline=int(time.time()) + seconds,
        python=bundle.python,
    )
    files.write(CONFIRMATION, dumps(found).encode(), 0o644)
    if files.live:
        _start_timer(found, seconds)


def forget_stale(files: Files, state: State | None) -> None:
    """Nobody waits any more for a run that never came to its commit, or that was replaced."""
    text = files.read(CONFIRMATION)
    if text is None:
        return
    if state is None or loads(Confirmation, text, CONFIRMATION).transaction != state.transaction:
        disarm(files)


def disarm(files: Files, transaction: str | None = None) -> None:
    """Nothing waits any more: of this transaction, or of whichever it is."""
    text = files.read(CONFIRMATION)
    if text is None:
        return
    if transaction and loads(Confirmation, text, CONFIRMATION).transaction != transaction:
        return
    files.remove(CONFIRMATION)
    if files.live:
        systemd.drop_transient(f"{TIMER}.timer")


def after_boot(files: Files) -> bool:
    """A generation that nobody confirmed before a reboot goes back soon after it; whether so."""
    found = awaited(files)
    if found is None:
        disarm(files)
        return False
    _start_timer(found, _AFTER_BOOT_SECONDS)
    return True


def _start_timer(found: Confirmation, seconds: int) -> None:
    command = (found.python, "-I", f"{AGENT_FOLDER}/host.pyz", "expire", found.transaction)
    systemd.run_later(TIMER, seconds, command)
