"""The root command: a table of commands, each imported when it is called."""

from __future__ import annotations

import importlib
import importlib.util
import os

import click

from provision import __version__
from provision.host.errors import Diagnostic, Exit, ProvisionError

from .ending import Invocation

# Command -> module below this package; the function has the command's name.
COMMANDS = {
    "inspect": "inspect",
    "fit": "fit",
    "init": "init",
    "plan": "plan",
    "render": "render",
    "diff": "diff",
    "apply": "apply",
    "confirm": "confirm",
    "rollback": "rollback",
    "recover": "recover",
    "history": "history",
    "verify": "verify",
    "status": "status",
    "remove": "remove",
    "models": "models",
    "schema": "schema",
}
_FLEET = "provision.cli.fleet"
_FLEET_NEEDS = ("ansible_runner", "ansible")


class LazyGroup(click.Group):
    """A group whose commands stand in COMMANDS, in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return [*COMMANDS, "fleet"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name == "fleet":
            return _fleet()
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__package__}.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            raise click.UsageError(f"no command {args[0]!r}{_meant(args[0])}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    "provision",
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--debug", is_flag=True, envvar="PROVISION_DEBUG", help="Show tracebacks and programs."
)
@click.version_option(__version__, "-V", "--version", message="provision %(version)s")
@click.pass_context
def root(context: click.Context, debug: bool) -> Exit | None:
    """From a short host.yaml to LLM endpoints that answer, on plain Linux.

    inspect, fit, plan, render, diff, history, verify, status and models change nothing, and init
    writes one host.yaml. apply, rollback and remove say what they are about to do and ask first.
    """
    context.ensure_object(Invocation).debug = debug
    if debug:
        os.environ["PROVISION_TRACE"] = "1"  # host.run, the one door to programs, looks at it
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        return Exit.USAGE
    return None


def _fleet() -> click.Command:
    """The fleet's group, or one that says what to install."""
    for module in _FLEET_NEEDS:
        if importlib.util.find_spec(module) is None:
            return _fleet_missing(module)
    command: click.Command = importlib.import_module(_FLEET).fleet
    return command


def _fleet_missing(module: str) -> click.Command:
    @click.command(
        "fleet",
        context_settings={"ignore_unknown_options": True},
        short_help="Many hosts through Ansible (not installed: llm-provision[fleet]).",
    )
    @click.argument("words", nargs=-1, type=click.UNPROCESSED, expose_value=False)
    def fleet() -> None:
        """Many hosts through Ansible; needs the extra llm-provision[fleet]."""
        raise ProvisionError(
            Diagnostic(
                "fleet-missing",
                f"provision fleet needs Ansible, and the Python module {module} is not installed",
                hint="pip install 'llm-provision[fleet]'",
            )
        )

    return fleet


def _meant(word: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, [*COMMANDS, "fleet"], 1)
    return f": did you mean {near[0]}?" if near else f"; there are {', '.join(COMMANDS)}, fleet"
