"""provision confirm"""

from __future__ import annotations

from pathlib import Path

import click

from provision.host.errors import Exit

from .options import json_option, root_option


@click.command("confirm", short_help="Keep what `apply --confirm` brought.")
@root_option
@json_option
def confirm_command(root: Path | None, as_json: bool) -> Exit:
    """Say that what `provision apply --confirm SECONDS` brought is good: it is not rolled back.

    Exit code 1: nothing waits to be confirmed, it may have been rolled back already (`provision
    status` tells). Needs root, but not with --root.
    """
    from provision import pipeline
    from provision.cli import inputs, outputs
    from provision.cli.privilege import demand_root
    from provision.cli.screen import put

    if root is not None:
        inputs.must_be_there(root)
    files = inputs.files_at(root)
    demand_root(files, "confirm ends the timer that would roll back")
    kept = pipeline.confirm(files)
    if as_json:
        outputs.put_document(kept)
    else:
        put(f"Confirmed: generation {kept.generation} stays.")
    return Exit.OK
