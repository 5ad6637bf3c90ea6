"""provision inspect"""

from __future__ import annotations

from pathlib import Path

import click

from .options import json_option, output_option


@click.command("inspect", short_help="What this machine is, what runs on it, what is wrong.")
@click.option(
    "--sysroot",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path("/"),
    help="Look at a recorded tree of files (its /sys, /proc, /etc) instead of this machine.",
)
@click.option(
    "--spec",
    "host_yaml",
    metavar="HOST.YAML",
    type=click.Path(path_type=Path),
    help="Look at the models, programs and key files too that this spec points at.",
)
@json_option
@output_option
def inspect_command(
    sysroot: Path, host_yaml: Path | None, as_json: bool, output: Path | None
) -> None:
    """Look at this machine: CPUs, NUMA nodes, GPUs, engines, nginx, listeners, our instances.

    Nothing is changed. Needs no root; as root it also knows who holds which port. The facts of
    --output FILE let `provision plan HOST.YAML --facts FILE` decide on any other machine.
    """
    from provision import pipeline
    from provision.cli import inputs, outputs

    spec = inputs.read_host_yaml(host_yaml).spec if host_yaml else None
    facts = pipeline.inspect(spec, sysroot.resolve())
    if outputs.deliver(facts, as_json, output):
        from provision.cli.facts_screen import show_facts

        show_facts(facts)
