"""provision apply HOST.YAML, or a saved plan"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provision.host.errors import Exit
from provision.host.transaction.options import ApplyOptions

from . import complaint
from .options import (
    adopt_option,
    check_option,
    facts_option,
    json_option,
    no_downtime_option,
    overwrite_option,
    plan_argument,
    root_option,
    steady_option,
    yes_option,
)
from .outcome import show_foreseen, tell
from .outputs import put_document
from .screen import put

if TYPE_CHECKING:
    from provision.cli.decide import Decision
    from provision.host.bundle import Bundle
    from provision.host.files import Files
    from provision.host.report import ChangeSet


def checkpoint_name(name: str | None) -> str | None:
    """A name that is no number, since generations are called by number or name."""
    if name is None or re.fullmatch(r"[A-Za-z_][A-Za-z0-9._-]{0,63}", name):
        return name
    raise click.BadParameter("a letter first, then up to 63 of A-Z a-z 0-9 . _ -")


@click.command("apply", short_help="Make it so: files, services, nginx, one transaction.")
@plan_argument
@facts_option
@check_option
@yes_option
@click.option(
    "--confirm",
    "confirm_seconds",
    metavar="SECONDS",
    type=click.IntRange(10, 86400),
    help="Roll back by itself after so long, unless `provision confirm` comes first.",
)
@click.option(
    "--checkpoint",
    metavar="NAME",
    callback=lambda _context, _option, name: checkpoint_name(name),
    help="Give the present generation a name before it is replaced; it is kept for good.",
)
@no_downtime_option
@steady_option
@adopt_option
@overwrite_option
@root_option
@json_option
def apply_command(
    host_yaml: Path,
    facts_file: Path | None,
    check: bool,
    yes: bool,
    confirm_seconds: int | None,
    checkpoint: str | None,
    no_downtime: bool,
    steady_seconds: float,
    adopt: bool,
    overwrite: bool,
    root: Path | None,
    as_json: bool,
) -> int:
    """Bring this machine to what HOST.YAML says: show it, ask, do it, wait for real answers.

    Everything is validated before the first write. Replicas are restarted one after the other,
    out of the balancer and idle. If a step fails, the old state is put back; later `provision
    rollback` does that. A second apply changes nothing. Needs root, but not with --root.

    Of a plan that `provision plan -o PLAN.JSON` saved exactly that is carried out. It is refused
    when HOST.YAML or what the plan depends on of this machine has changed since.
    """
    from provision import pipeline
    from provision.cli import asking, inputs
    from provision.cli.changes_screen import summary
    from provision.cli.decide import decide
    from provision.cli.privilege import demand_root

    options = ApplyOptions(
        adopt=adopt,
        overwrite=overwrite,
        confirm_seconds=confirm_seconds,
        checkpoint=checkpoint,
        no_downtime=no_downtime,
        steady_seconds=steady_seconds,
    )
    files = inputs.files_at(root)
    demand_root(files, "apply compares root-only files and changes services")
    if not check:
        asking.demand_somebody(yes)
    decision = decide(host_yaml, facts_file, files)
    bundle = pipeline.bundle(decision.plan)
    foreseen = pipeline.check(bundle, files, options, staged=check or not yes)
    if check and as_json:
        put_document(foreseen)
    if not as_json:
        _show(decision, foreseen.changes)
    complaint.show(foreseen.problems)
    if check and foreseen.changes.empty and not as_json:
        put("Nothing to change: everything is as planned.")
    if check or foreseen.exit_code in (Exit.CONFLICT, Exit.ERROR):
        return foreseen.exit_code
    question = f"{summary(foreseen.changes)}. Go on?"
    if not foreseen.changes.empty and not asking.agreed(question, yes):
        print("nothing was changed", file=sys.stderr)
        return Exit.ERROR
    return _bring(bundle, files, options, as_json)


def _show(decision: Decision, changes: ChangeSet) -> None:
    """The plan in short and the changes; of a host that is as planned only the plan."""
    from provision.cli.host_line import host_line
    from provision.cli.instances_screen import show_instances

    put(host_line(decision.facts) if decision.facts else decision.plan.host, bold=True)
    put()
    show_instances(decision.plan)
    put()
    if not changes.empty:
        show_foreseen(changes)
        put()
    sys.stdout.flush()


def _bring(bundle: Bundle, files: Files, options: ApplyOptions, as_json: bool) -> int:
    """Apply, with progress; also where nothing differs, since a run cut short is ended by it."""
    from provision import pipeline
    from provision.cli.progress import printer

    names = (*(one.name for one in bundle.instances), "nginx")
    begin = time.monotonic()
    if not files.live:
        files.root.mkdir(parents=True, exist_ok=True)
    result = pipeline.apply(bundle, files, printer(names), options)
    seconds = time.monotonic() - begin
    took = f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    number = "Applied" if result.generation is None else f"Generation {result.generation} applied"
    where = "" if files.live else f" into {files.root}"
    root = "" if files.live else f" --root {files.root}"
    way_back = f"provision {'remove' if result.generation == 1 else 'rollback'}{root}"
    undo = f"Undo: {way_back}"
    if options.confirm_seconds and result.changed:
        undo = (
            f"It is taken back in {options.confirm_seconds} s, unless you keep it:"
            f" provision confirm{root}"
        )
    return tell(
        result,
        as_json,
        f"{number} in {took}{where}. {undo}",
        "Nothing to change: everything is as planned."
        if files.live
        else f"Nothing to change: {files.root} holds what is planned.",
    )
