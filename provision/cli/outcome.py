"""How an apply or remove ended, for people and as a document."""

from __future__ import annotations

import sys

from provision.host.report import ApplyResult, ChangeSet

from . import complaint, outputs
from .changes_screen import show_gaps, show_list, summary
from .screen import put


def show_foreseen(changes: ChangeSet) -> None:
    """What is about to be done: the list, who is not served meanwhile, then the sum of it."""
    show_list(changes)
    if changes.files or changes.units:
        put()
    if changes.gaps:
        show_gaps(changes.gaps)
        put()
    put(f"{summary(changes)}.")


def tell(result: ApplyResult, as_json: bool, done: str, nothing: str) -> int:
    """Print a result; the exit code. done and nothing: the last line after each good end."""
    if as_json:
        outputs.put_document(result)
    sys.stdout.flush()
    complaint.show(result.problems)
    if as_json or result.exit_code:
        return result.exit_code
    put(done if result.changed else nothing)
    return 0
