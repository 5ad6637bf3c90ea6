"""docs/reference/commands.md, made from the commands themselves: python -m provision.cli.reference

A test compares the file with this; `pytest --update-golden` writes it anew.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator

import click

from .root import root

_TOP = """\
# Commands

From the program (`python -m provision.cli.reference`). `provision COMMAND --help` says the same.

stdout is the result, stderr is progress and complaints. With `--json` stdout is one versioned JSON
document and nothing else. Colours: on a terminal, or with FORCE_COLOR; never with NO_COLOR or
TERM=dumb. Exit codes: [exit-codes.md](exit-codes.md).
"""


def commands_page() -> str:
    """The whole page. Depends on nothing but the commands: no terminal, no environment."""
    with click.Context(root, info_name="provision") as context:
        parts = [_TOP, *_options(root), *_below(root, context, "provision")]
    return "\n".join(parts).rstrip() + "\n"


def _below(group: click.Group, context: click.Context, path: str) -> Iterator[str]:
    """The sections of a group's commands, groups below it in depth."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        yield from _section(command, f"{path} {name}")
        if isinstance(command, click.Group):
            with click.Context(command, info_name=name, parent=context) as inner:
                yield from _below(command, inner, f"{path} {name}")


def _section(command: click.Command, path: str) -> Iterator[str]:
    words = [path]
    if any(isinstance(one, click.Option) for one in command.params):
        words.append("[OPTIONS]")
    if isinstance(command, click.Group):
        words.append("COMMAND")
    words += [_argument(one) for one in command.params if isinstance(one, click.Argument)]
    yield f"## {path}\n"
    yield f"    {' '.join(words)}\n"
    yield _text(command.help or command.short_help or "")
    yield from _options(command)


def _text(help_text: str) -> str:
    """Paragraphs; one after \\b (click's sign for lines as they are) becomes a block."""
    parts: list[str] = []
    # cleandoc: Python 3.13 takes the indentation out of docstrings, the ones before do not.
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(help_text)):
        if paragraph.startswith("\b"):
            lines = paragraph.splitlines()[1:]
            parts.append("\n".join(f"    {line.strip()}" for line in lines))
        else:
            parts.append(paragraph)
    return "\n\n".join(parts) + "\n"


def _options(command: click.Command) -> Iterator[str]:
    rows = [_row(one) for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if rows:
        yield "\n".join(["| option | |", "|---|---|", *rows]) + "\n"


def _row(option: click.Option) -> str:
    spelled = ", ".join(sorted(option.opts, key=lambda one: one.startswith("--")))
    if option.secondary_opts:
        spelled += "/" + ", ".join(option.secondary_opts)
    if not option.is_flag and not option.count:
        number = isinstance(option.type, (click.IntRange, click.types.IntParamType))
        spelled += f" {option.metavar or ('N' if number else option.type.name.upper())}"
    said = (option.help or "").replace("|", "\\|")
    variable = f" Also by {option.envvar}=1." if isinstance(option.envvar, str) else ""
    default = f" Default: {option.default}." if option.show_default else ""
    return f"| `{spelled}` | {said}{default}{variable} |"


def _argument(argument: click.Argument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    name = f"{name}..." if argument.nargs != 1 and not name.endswith("...") else name
    return name if argument.required or name.startswith("[") else f"[{name}]"


if __name__ == "__main__":
    sys.stdout.write(commands_page())
