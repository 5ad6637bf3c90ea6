"""provision recover"""

from __future__ import annotations

from pathlib import Path

import click

from .options import json_option, root_option
from .outcome import tell


@click.command("recover", short_help="Put the host back after a run that was killed.")
@root_option
@json_option
def recover_command(root: Path | None, as_json: bool) -> int:
    """Put files and services back to the last generation after a run was cut short.

    Without such a run nothing is done. The boot unit does the same after a power loss, and each
    apply does it first, so that this is for the case where no apply is to follow. It does not ask.
    Exit code 6: something could not be put back, the messages say what. Needs root, but not with
    --root.
    """
    from provision import pipeline
    from provision.cli import inputs
    from provision.cli.privilege import demand_root
    from provision.cli.progress import printer

    if root is not None:
        inputs.must_be_there(root)
    files = inputs.files_at(root)
    demand_root(files, "recover puts files and services back")
    result = pipeline.recover(files, printer())
    stands = "nothing is applied here"
    if result.generation:
        stands = f"generation {result.generation} stands"
    return tell(
        result,
        as_json,
        f"Recovered: {stands}.",
        "Nothing to recover: no run was cut short.",
    )
