"""provision render HOST.YAML -o DIR"""

from __future__ import annotations

from pathlib import Path

import click

from .options import facts_option, plan_argument


@click.command("render", short_help="Write the files of a plan into a folder, to look at.")
@plan_argument
@facts_option
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the files; new, empty, or written by render before.",
)
def render_command(host_yaml: Path, facts_file: Path | None, output: Path) -> None:
    """Write every file that apply would write on the host into DIR, and print the tree.

    The host half (one file of Python, host.pyz, the same for every plan) is left out; keys and
    other secrets stay on the host. Needs no root. A plan that `provision plan -o PLAN.JSON` saved
    is written as it is; no machine is looked at.
    """
    from provision import pipeline
    from provision.cli.decide import decide
    from provision.cli.rendered_tree import show_tree, write_tree

    plan = decide(host_yaml, facts_file).plan
    bundle = pipeline.render(plan)
    write_tree(bundle, output)
    show_tree(bundle, output)
