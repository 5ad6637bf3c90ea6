"""provision verify"""

from __future__ import annotations

from pathlib import Path

import click

from provision.host.errors import Exit

from .options import json_option, output_option


@click.command("verify", short_help="Prove that what runs is what was planned, with real tokens.")
@json_option
@output_option
def verify_command(as_json: bool, output: Path | None) -> Exit:
    """Look at the live processes of every instance and ask each for one real token.

    Units, CPUs, memory policy and pages, environment, ports, GPUs, readiness, the proxy: against
    the plan that was applied last. Exit code 7: something is not as planned. Nothing is changed.
    Needs root: only root may look into the engines' processes.
    """
    from provision import pipeline
    from provision.cli import outputs
    from provision.cli.privilege import demand_root
    from provision.host.files import Files

    files = Files()
    demand_root(files, "verify looks into the engines' processes", "sudo provision verify")
    report = pipeline.verify(files)
    if outputs.deliver(report, as_json, output):
        from provision.cli.report_screen import show_report

        show_report(report)
    return Exit.OK if report.green else Exit.NOT_AS_PLANNED
