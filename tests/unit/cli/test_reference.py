"""docs/reference/commands.md is what the commands say; every exit code is in exit-codes.md."""

from __future__ import annotations

import re

from provision.cli.reference import commands_page
from provision.cli.root import COMMANDS, root
from provision.host.errors import Exit

from .conftest import CHECKOUT

PAGE = CHECKOUT / "docs/reference/commands.md"


def test_the_page_is_up_to_date(update_golden: bool) -> None:
    if update_golden:
        PAGE.write_text(commands_page())
    assert PAGE.read_text() == commands_page(), "pytest --update-golden writes it"


def test_every_command_and_option_has_its_help() -> None:
    import click

    context = click.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command is not None and command.help and command.short_help, name
        for option in command.params:
            assert not isinstance(option, click.Option) or option.help, (name, option.name)
        assert f"## provision {name}\n" in commands_page()


def test_every_exit_code_is_documented() -> None:
    text = (CHECKOUT / "docs/reference/exit-codes.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \| (\w+) \|", text, re.MULTILINE))
    assert rows == {str(int(code)): code.name for code in Exit}
