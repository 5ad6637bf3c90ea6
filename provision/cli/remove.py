"""provision remove"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provision.host.errors import Exit

from . import complaint
from .options import check_option, json_option, root_option, yes_option

if TYPE_CHECKING:
    from provision.host.report import Step


def _silent(_: Step) -> None:
    """A look needs no progress."""


@click.command("remove", short_help="Put the machine back as it was before the first apply.")
@check_option
@yes_option
@click.option(
    "--models",
    is_flag=True,
    help="Delete the models in the homes of users that we made (/var/lib/ollama, /var/lib/vllm).",
)
@root_option
@json_option
def remove_command(check: bool, yes: bool, models: bool, root: Path | None, as_json: bool) -> int:
    """Stop our instances and take away every file, unit, user and setting that apply brought.

    Power limits, persistence and units taken over are put back as they were. Models stay. A file
    that was edited by hand is kept beside as FILE.provision-saved. Killed halfway, `provision
    recover` brings everything back. Needs root, but not with --root.
    """
    from provision import pipeline
    from provision.cli import asking, inputs
    from provision.cli.changes_screen import summary
    from provision.cli.outcome import show_foreseen, tell
    from provision.cli.outputs import put_document
    from provision.cli.privilege import demand_root
    from provision.cli.progress import printer

    if root is not None:
        inputs.must_be_there(root)
    files = inputs.files_at(root)
    demand_root(files, "remove stops services and takes files away")
    if not check:
        asking.demand_somebody(yes)
    planned = pipeline.remove(files, _silent, check=True)
    if not as_json and not planned.changes.empty:
        show_foreseen(planned.changes)
        sys.stdout.flush()
    if check and as_json:
        put_document(planned)
    if check or planned.problems or planned.changes.conflicts:
        complaint.show(dict.fromkeys((*planned.changes.conflicts, *planned.problems)))
        if planned.changes.conflicts:
            return Exit.CONFLICT
        return planned.exit_code or (Exit.OK if planned.changes.empty else Exit.DIFFERS)
    if not planned.changes.empty and not asking.agreed(f"{summary(planned.changes)}. Go on?", yes):
        print("nothing was changed", file=sys.stderr)
        return Exit.ERROR
    result = pipeline.remove(files, printer(), models=models)
    kept = "models in our users' homes are gone" if models else "models stay"
    place = "The machine" if files.live else str(files.root)
    return tell(
        result,
        as_json,
        f"Removed. {place} is as it was before the first apply; {kept}.",
        "Nothing to remove: nothing was applied here.",
    )
