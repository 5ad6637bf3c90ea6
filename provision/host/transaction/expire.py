"""The end of the time to confirm: called by the timer, long after whoever applied may be gone."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import Exit, ProvisionError
from ..files import Files
from ..report import ApplyResult, Step
from .confirm import awaited
from .options import ApplyOptions
from .rollback import rollback

_LOCKED_SECONDS = 1800  # somebody else's run may load a large model
_EVERY_SECONDS = 2.0


def expire(files: Files, transaction: str, progress: Callable[[Step], None]) -> ApplyResult | None:
    """Roll back unless it was confirmed meanwhile (then None).

    What was edited by hand since then is kept aside: nobody is there to be asked.
    """
    deadline = time.monotonic() + _LOCKED_SECONDS
    while True:
        found = awaited(files)
        if found is None or found.transaction != transaction:
            return None
        note = f"generation {found.generation} was not confirmed"
        options = ApplyOptions(overwrite=True, note=note)
        try:
            return rollback(files, progress, found.back_to, options)
        except ProvisionError as error:
            if error.exit_code != Exit.LOCKED or time.monotonic() > deadline:
                raise
        time.sleep(_EVERY_SECONDS)
