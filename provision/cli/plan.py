"""provision plan HOST.YAML"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provision.host.errors import ProvisionError, fail

from .options import facts_option, json_option, output_option, plan_argument
from .picture import may_draw, picture_option, save_picture

if TYPE_CHECKING:
    from provision.cli.decide import Decision
    from provision.host.report import ChangeSet
    from provision.plan.plan import Plan


@click.command("plan", short_help="Which instance runs on which GPUs, cores and port, and why.")
@plan_argument
@facts_option
@click.option(
    "--explain",
    metavar="NAME",
    help="The whole reasoning for one instance: every way that was weighed, with its figures.",
)
@click.option(
    "--replan",
    is_flag=True,
    help="Move what already runs where that makes a better plan. Default: it stays.",
)
@picture_option
@json_option
@output_option
def plan_command(
    host_yaml: Path,
    facts_file: Path | None,
    explain: str | None,
    replan: bool,
    picture: Path | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Decide what HOST.YAML means on this machine, or on the one of --facts, and say why.

    -o PLAN.JSON saves the plan, and `provision apply PLAN.JSON` carries out exactly that. A saved
    plan in place of HOST.YAML is shown. Nothing is changed anywhere. Needs no root.
    """
    from provision.cli import outputs
    from provision.cli.decide import decide

    may_draw(picture)
    if explain is not None and output is not None:
        raise click.UsageError("--explain says why and -o saves a plan: use one of them")
    decision = decide(host_yaml, facts_file, replan=replan, strict=False)
    if picture is not None:
        if decision.facts is None:
            raise fail("no-facts", "a picture of a saved plan needs --facts of its machine")
        save_picture(picture, decision.facts, decision.plan)
    if explain is not None:
        _explain(decision, explain, as_json)
        return
    if not outputs.deliver(decision.plan, as_json, output):
        return
    from provision.cli.plan_screen import show_outlook, show_plan

    show_plan(decision.plan, decision.facts)
    here = facts_file is None and not decision.saved
    outlook = _outlook(decision.plan) if here else None
    show_outlook(outlook, decision.plan.host, str(host_yaml))


def _explain(decision: Decision, name: str, as_json: bool) -> None:
    """The reasoning for one group, as a document or for people."""
    from provision.cli.explained import document, explained
    from provision.cli.outputs import put_document

    one = explained(decision.plan, name)
    if as_json:
        put_document(document(one))
        return
    from provision.cli.explain_screen import show_explained

    show_explained(one)


def _outlook(plan: Plan) -> ChangeSet | str:
    """What apply would do on this machine, or why that cannot be told."""
    from provision import pipeline
    from provision.host.files import Files

    try:
        return pipeline.changes(pipeline.bundle(plan), Files())
    except ProvisionError as error:
        return error.diagnostics[0].message
