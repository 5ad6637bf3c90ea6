"""The one place where an end becomes output on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import click

from provision.host.errors import Diagnostic, Exit, ProvisionError

from . import complaint, streams

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_COMPLETION = "_PROVISION_COMPLETE"
_PIPE_CLOSED = 141  # 128 + SIGPIPE


@dataclass
class Invocation:
    """What the options before the command say; click hands it to every command."""

    debug: bool = False


def code_of(words: Sequence[str]) -> int:
    """Run the command in words and say how it ended. Nothing but SystemExit leaves the program:
    what nobody foresaw goes through the excepthook, as one line or, with --debug, a traceback."""
    invocation = Invocation()
    sys.excepthook = _Hook(invocation)
    try:
        code = _invoke(list(words), invocation)
        sys.stdout.flush()
        return code
    except ProvisionError as error:
        _traceback_if(invocation, error)
        complaint.show(error.diagnostics)
        return int(error.exit_code)
    except click.UsageError as error:
        _show_usage(error)
        return int(Exit.USAGE)
    except click.ClickException as error:
        complaint.show([Diagnostic("command", error.format_message())])
        return int(Exit.ERROR)
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        streams.discard_output()
        return _PIPE_CLOSED
    except OSError as error:
        _traceback_if(invocation, error)
        complaint.show([of_system(error)])
        return int(Exit.ERROR)


def _invoke(words: list[str], invocation: Invocation) -> int:
    """Run the command. click's own main() would end broken pipes and interrupts in its own way;
    it is asked for shell completion alone (docs: _PROVISION_COMPLETE=bash_source provision)."""
    from .root import root

    if _COMPLETION in os.environ:
        root.main(words, "provision", complete_var=_COMPLETION)
    try:
        with root.make_context("provision", words, obj=invocation) as context:
            return int(root.invoke(context) or 0)
    except click.exceptions.Exit as ended:  # --help, --version
        return ended.exit_code


def of_system(error: OSError) -> Diagnostic:
    """What the operating system refused, in its own words, with the file's name."""
    what = f"{error.filename}: " if error.filename else ""
    hint = None
    if isinstance(error, PermissionError) and os.geteuid() != 0:
        hint = "run the command as root: sudo provision ..."
    return Diagnostic("system", f"{what}{error.strerror or error}", hint=hint)


def _show_usage(error: click.UsageError) -> None:
    if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2: the message is the whole help
        click.echo(error.format_message(), err=True)
        return
    hint = None
    if error.ctx is not None:
        hint = f"{error.ctx.command_path} --help"
    complaint.show([Diagnostic("usage", error.format_message(), hint=hint)])


def _traceback_if(invocation: Invocation, error: BaseException) -> None:
    if invocation.debug:
        sys.__excepthook__(type(error), error, error.__traceback__)


@dataclass(frozen=True)
class _Hook:
    invocation: Invocation

    def __call__(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if self.invocation.debug:
            sys.__excepthook__(kind, error, trace)
            return
        said = " ".join(str(error).split()) or "no message"
        complaint.show(
            [
                Diagnostic(
                    "unexpected",
                    f"this is a mistake in provision: {kind.__name__}: {said}",
                    hint=f"where it happened: provision --debug {' '.join(sys.argv[1:])}",
                )
            ]
        )
