"""The line by which nginx tells which configuration its workers have loaded."""

from __future__ import annotations

UNSET = "0" * 64  # the mark in the artifact of Nginx.answer


def answer_line(mark: str) -> str:
    """Content of the answer file: `return 200 "MARK\\n";` and a newline."""
    return f'return 200 "{mark}\\n";\n'
