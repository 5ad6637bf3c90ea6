"""provision inspect"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .options import json_option, output_option
from .picture import may_draw, picture_option, save_picture

record_option = click.option(
    "--record",
    metavar="FILE.tar.xz",
    type=click.Path(path_type=Path),
    help="Keep all that was looked at in this new archive, to be inspected again anywhere.",
)
redact_option = click.option(
    "--redact",
    is_flag=True,
    help="With --record: other names for hosts, users, serial numbers, UUIDs, MACs and IPs.",
)
replay_option = click.option(
    "--replay",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True),
    help="Inspect a recorded host (an archive, or its folder) instead of this machine.",
)


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
    help="Look too at the models, programs and key files of this spec; --picture shows its plan.",
)
@record_option
@redact_option
@replay_option
@picture_option
@json_option
@output_option
def inspect_command(
    sysroot: Path,
    host_yaml: Path | None,
    record: Path | None,
    redact: bool,
    replay: Path | None,
    picture: Path | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Look at this machine: CPUs, NUMA nodes, GPUs, engines, nginx, listeners, our instances.

    Nothing is changed. Needs no root; as root it also knows who holds which port. The facts of
    --output FILE let `provision plan HOST.YAML --facts FILE` decide on any other machine.
    """
    from provision import pipeline
    from provision.cli import inputs, outputs

    _refuse_mixed(sysroot, record, redact, replay)
    may_draw(picture)
    read = inputs.read_host_yaml(host_yaml) if host_yaml else None
    spec = read.spec if read else None
    facts = pipeline.inspect(spec, sysroot.resolve(), record=record, redact=redact, replay=replay)
    if record is not None:
        print(recorded_line(record, record.stat().st_size, redact), file=sys.stderr)
    plan = pipeline.plan(read, facts) if picture and read else None
    save_picture(picture, facts, plan)
    if outputs.deliver(facts, as_json, output):
        from provision.cli.facts_screen import show_facts

        show_facts(facts)


def recorded_line(archive: Path, size: int, redacted: bool) -> str:
    """What was written, what it shows of the host, how it is read back."""
    shown = f"{size / 1024:.0f} KiB" if size < 1 << 20 else f"{size / (1 << 20):.1f} MiB"
    names = (
        "host and user names, serial numbers, UUIDs, MAC and IP addresses replaced"
        if redacted
        else "names, serial numbers and addresses as they are (--redact replaces them)"
    )
    return f"recorded {archive} ({shown}; {names}); read it back: provision inspect --replay FILE"


def _refuse_mixed(sysroot: Path, record: Path | None, redact: bool, replay: Path | None) -> None:
    """UsageError for options that ask for two machines at once, or for nothing."""
    elsewhere = [
        name for name, given in (("--sysroot", sysroot != Path("/")), ("--replay", replay)) if given
    ]
    if len(elsewhere) == 2:
        raise click.UsageError("--sysroot and --replay are two different machines: give one")
    if record is not None and elsewhere:
        raise click.UsageError(f"--record is of this machine, it does not go with {elsewhere[0]}")
    if redact and record is None:
        raise click.UsageError("--redact goes with --record FILE.tar.xz")
