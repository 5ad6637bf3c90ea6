"""provision status"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provision.host.errors import Exit

from .options import json_option, root_option

if TYPE_CHECKING:
    from provision.cli.standing import Standing


@click.command("status", short_help="What was applied here, whether it runs, what was edited.")
@root_option
@json_option
def status_command(root: Path | None, as_json: bool) -> Exit:
    """Say in short what was applied last, which units run, and which of our files were touched.

    Asks no engine anything: `provision verify` does. Exit code 7: a unit does not run, runs with
    an older configuration, or a file is missing or edited. Needs no root; root sees more.
    """
    from provision.cli import inputs, outputs
    from provision.cli.standing import standing

    if root is not None:
        inputs.must_be_there(root)
    found = standing(inputs.files_at(root))
    if as_json:
        outputs.put_document(found)
    else:
        _show(found)
    return Exit.OK if found.as_applied else Exit.NOT_AS_PLANNED


def _show(found: Standing) -> None:
    from provision.cli.screen import Table, count, heading, put

    now = found.status
    if now.generation is None:
        put("Nothing was applied here.")
    else:
        applied = f"generation {now.generation}, {count(found.files, 'file')} of ours"
        put(f"{now.host}: {applied}, applied by provision {now.tool}", bold=True)
    if now.instances:
        put()
    table = Table(("instance", "unit", "state", "configuration", "port"))
    for one in now.instances:
        words = (one.active, found.configuration.get(one.name, "unknown"))
        known = ["" if word == "unknown" else word for word in words]
        table.row(one.name, one.unit, *known, str(one.port or ""))
    table.show()
    _show_drift(found)
    if now.interrupted:
        heading("A run was cut short")
        put("  provision apply completes it, provision remove takes everything away.")


def _show_drift(found: Standing) -> None:
    from provision.cli.screen import Table, count, heading, put

    drifted = [one for one in found.drift if one.what != "unreadable"]
    if drifted:
        heading("Not as applied")
        table = Table(("", ""))
        for one in drifted:
            table.row(one.what, one.path)
        table.show(with_head=False)
    hidden = len(found.drift) - len(drifted)
    if hidden:
        put()
        put(f"{count(hidden, 'file')} may only be read by root and could not be compared.")
