"""provision plan HOST.YAML"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provision.host.errors import ProvisionError

from .options import facts_option, json_option, output_option, spec_argument
from .picture import may_draw, picture_option, save_picture

if TYPE_CHECKING:
    from provision.host.report import ChangeSet
    from provision.plan.plan import Plan


@click.command("plan", short_help="Which instance runs on which GPUs, cores and port, and why.")
@spec_argument
@facts_option
@picture_option
@json_option
@output_option
def plan_command(
    host_yaml: Path,
    facts_file: Path | None,
    picture: Path | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Decide what HOST.YAML means on this machine, or on the one of --facts, and say why.

    Nothing is changed anywhere. Needs no root.
    """
    from provision.cli import outputs
    from provision.cli.decide import decide

    may_draw(picture)
    decision = decide(host_yaml, facts_file)
    save_picture(picture, decision.facts, decision.plan)
    if not outputs.deliver(decision.plan, as_json, output):
        return
    from provision.cli.plan_screen import show_outlook, show_plan

    show_plan(decision.plan, decision.facts)
    outlook = None if facts_file else _outlook(decision.plan)
    show_outlook(outlook, decision.plan.host, str(host_yaml))


def _outlook(plan: Plan) -> ChangeSet | str:
    """What apply would do on this machine, or why that cannot be told."""
    from provision import pipeline
    from provision.host.files import Files

    try:
        return pipeline.changes(pipeline.bundle(plan), Files())
    except ProvisionError as error:
        return error.diagnostics[0].message
