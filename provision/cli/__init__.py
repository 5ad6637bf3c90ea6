"""The command line: read options, call the pipeline, print, choose the exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with one of errors.Exit (docs/reference/exit-codes.md)."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words in (["--version"], ["-V"]):  # asked by scripts in a loop: no library is loaded for it
        from provision import __version__

        print(f"provision {__version__}")
        sys.exit(0)
    from . import ending, streams

    streams.prepare()
    sys.exit(ending.code_of(words))
