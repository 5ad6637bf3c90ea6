"""provision diff [HOST.YAML] [--from GENERATION]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provision.host.errors import Exit, fail

from .options import facts_option, json_option, root_option

if TYPE_CHECKING:
    from provision.cli.difference import Difference
    from provision.host.bundle import Bundle
    from provision.host.files import Files


@click.command("diff", short_help="What apply would change: files line by line, service actions.")
@click.argument(
    "host_yaml", metavar="[HOST.YAML|PLAN.JSON]", required=False, type=click.Path(path_type=Path)
)
@click.option(
    "--from",
    "generation",
    metavar="GENERATION",
    help="Compare with a generation of `provision history`, by number or checkpoint's name, "
    "instead of this machine.",
)
@facts_option
@root_option
@json_option
def diff_command(
    host_yaml: Path | None,
    generation: str | None,
    facts_file: Path | None,
    root: Path | None,
    as_json: bool,
) -> Exit:
    """Show what `provision apply HOST.YAML` would change here, and change nothing.

    What is wanted is compared with the disk and with what runs. Below it stands what is not as it
    was applied and no apply puts right: drop-ins of others, processes on wrong CPUs, instances
    that are held out of the balancer.

    With --from alone: what has changed from that generation to what was applied last; with
    HOST.YAML: from that generation to what HOST.YAML says.

    Exit code 0: nothing differs; 2: something does; 3: a file is in the way that is not ours to
    change. Needs root (secret files and live processes are compared), but not with --root.
    A plan that `provision plan -o PLAN.JSON` saved is taken as it is, by the rules of apply.
    """
    from provision.cli import inputs, outputs
    from provision.cli.difference import show_difference
    from provision.cli.privilege import demand_root

    if host_yaml is None and generation is None:
        raise fail(
            "nothing-to-compare",
            "there is nothing to compare with",
            "provision diff HOST.YAML, or provision diff --from GENERATION",
            exit_code=Exit.USAGE,
        )
    files = inputs.files_at(root)
    demand_root(files, "diff compares root-only files and live processes")
    wanted = None if host_yaml is None else _wanted(host_yaml, facts_file, files)
    if generation is not None:
        found = _since(files, generation, wanted)
    else:
        assert wanted is not None  # one of the two is given
        found = _here(files, wanted)
    if as_json:
        outputs.put_document(found)
    else:
        show_difference(found)
    if found.conflicts:
        return Exit.CONFLICT
    return Exit.OK if found.none else Exit.DIFFERS


def _wanted(host_yaml: Path, facts_file: Path | None, files: Files) -> Bundle:
    from provision import pipeline
    from provision.cli.decide import decide

    return pipeline.bundle(decide(host_yaml, facts_file, files).plan)


def _here(files: Files, wanted: Bundle) -> Difference:
    """Wanted against this machine, and the drift that no apply of it would put right."""
    from provision import pipeline
    from provision.cli.difference import difference_of, left_over
    from provision.host.proof.drift import drift

    changes = pipeline.changes(wanted, files)
    return difference_of(changes, left_over(drift(files), changes))


def _since(files: Files, generation: str, wanted: Bundle | None) -> Difference:
    """From a generation to what was applied last, or to what is wanted."""
    from provision import pipeline
    from provision.cli.difference import difference_of
    from provision.cli.generation import generation_meant
    from provision.host.report import ChangeSet
    from provision.host.transaction.state import load_state

    old = pipeline.generation(files, generation_meant(files, generation)).bundle
    if wanted is None:
        state = load_state(files)
        if state is None:
            raise fail("nothing-applied", "nothing was applied here", "provision apply HOST.YAML")
        wanted = pipeline.generation(files, state.generation).bundle
    return difference_of(ChangeSet(1, pipeline.between(old, wanted)))
