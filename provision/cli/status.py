"""provision status"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provision.host.errors import Exit

from .options import json_option, root_option

if TYPE_CHECKING:
    from provision.host.proof.status import InstanceStatus, Status


@click.command("status", short_help="What was applied here, whether it runs, what was edited.")
@root_option
@json_option
def status_command(root: Path | None, as_json: bool) -> Exit:
    """Say in short what was applied last, how it runs, and what is not as it was applied.

    Files, units, live processes, GPU settings and nginx are looked at; no engine is asked anything,
    `provision verify` does that. Exit code 7: something is not as applied (docs/reference/drift.md
    has all kinds), or a run was cut short. Needs no root; root sees more.
    """
    from provision.cli import inputs, outputs
    from provision.host.proof.status import status

    if root is not None:
        inputs.must_be_there(root)
    found = status(inputs.files_at(root))
    if as_json:
        outputs.put_document(found)
    else:
        show_status(found)
    return Exit.OK if found.as_applied else Exit.NOT_AS_PLANNED


def show_status(now: Status) -> None:
    """Head line, instances, then what is not as it should be."""
    from provision.cli.drift_screen import show_drift
    from provision.cli.moment import when
    from provision.cli.screen import count, put

    if now.generation is None:
        put("Nothing was applied here.")
    else:
        at = f"applied {when(now.at)} by" if now.at is not None else "applied by"
        files = count(now.files, "file")
        put(
            f"{now.host}: generation {now.generation}, {files} of ours, {at} provision {now.tool}",
            bold=True,
        )
    if now.checkpoints:
        names = ", ".join(f"{one.name} ({one.generation})" for one in now.checkpoints)
        put(f"  checkpoints: {names}")
    _show_instances(now)
    show_drift(now.drift)


def _show_instances(now: Status) -> None:
    from provision.cli.screen import Table, put

    if not now.instances:
        return
    put()
    head = ("instance", "unit", "state", "configuration", "balancer", "port")
    table = Table(head, spare=(head.index("unit"),))
    for one in now.instances:
        known = ["" if word == "unknown" else word for word in (one.active, one.configuration)]
        table.row(one.name, one.unit, *known, _balancer(one), str(one.port or ""))
    table.show()


def _balancer(one: InstanceStatus) -> str:
    """Why it is out stands below, with what else is not as applied."""
    if not one.balanced:
        return ""
    return "out" if one.out else "in"
