"""provision diff HOST.YAML"""

from __future__ import annotations

from pathlib import Path

import click

from provision.host.errors import Exit

from .options import facts_option, json_option, plan_argument, root_option


@click.command("diff", short_help="What apply would change: files line by line, service actions.")
@plan_argument
@facts_option
@root_option
@json_option
def diff_command(
    host_yaml: Path, facts_file: Path | None, root: Path | None, as_json: bool
) -> Exit:
    """Show what `provision apply HOST.YAML` would change here, and change nothing.

    Exit code 0: nothing differs; 2: something does; 3: a file is in the way that is not ours to
    change. Needs root (secret files and live processes are compared), but not with --root.
    A plan that `provision plan -o PLAN.JSON` saved is taken as it is, by the rules of apply.
    """
    from provision import pipeline
    from provision.cli import changes_screen, complaint, inputs, outputs
    from provision.cli.decide import decide
    from provision.cli.privilege import demand_root

    files = inputs.files_at(root)
    demand_root(files, "diff compares root-only files and live processes")
    decision = decide(host_yaml, facts_file, files)
    changes = pipeline.changes(pipeline.bundle(decision.plan), files)
    if as_json:
        outputs.put_document(changes)
    else:
        changes_screen.show_diff(changes)
        complaint.show(changes.conflicts)
    if changes.conflicts:
        return Exit.CONFLICT
    return Exit.OK if changes.empty else Exit.DIFFERS
