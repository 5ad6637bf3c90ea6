"""The question before a host is changed, and what takes its place where nobody can be asked."""

from __future__ import annotations

import click

from provision.host.errors import Exit, fail

from . import streams


def demand_somebody(yes: bool) -> None:
    """ProvisionError `nobody-to-ask` at once, before any work, without --yes and a terminal."""
    if not yes and not streams.interactive():
        raise fail(
            "nobody-to-ask",
            "standard input is no terminal, so nobody can be asked whether to go on",
            "--yes goes on without a question, --check only says what would be done",
            exit_code=Exit.USAGE,
        )


def agreed(question: str, yes: bool) -> bool:
    """Whether to go on. The question goes to stderr: stdout is the result's alone."""
    return yes or click.confirm(question, default=False, err=True)
