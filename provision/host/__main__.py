"""The agent's command line: documents in on stdin, documents out on stdout, progress on stderr.

apply, rollback, remove, recover, confirm     change a host: by a controller, or by hand
changes, verify, status, history, inspect     look at it
guard, ready, gpu-settings, watch, drift, recover --boot, expire     called by units and timers
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .bundle import Bundle
from .document import dumps, loads
from .errors import Exit, ProvisionError
from .facts import InspectRequest
from .files import Files
from .report import Step
from .transaction.options import ApplyOptions

T = TypeVar("T")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code is of errors.Exit. No traceback without PROVISION_DEBUG=1."""
    options = _parser().parse_args(argv)
    verb: Callable[[argparse.Namespace, Files], int] = options.verb
    try:
        return int(verb(options, Files(Path(options.root).resolve())))
    except ProvisionError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if os.environ.get("PROVISION_DEBUG") == "1":
            raise
        what = f"{type(error).__name__}: {error}"
        print(f"error: {what}\n   hint: PROVISION_DEBUG=1 shows where", file=sys.stderr)
        return int(Exit.ERROR)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        self.print_usage(sys.stderr)
        self.exit(int(Exit.USAGE), f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="provision-host", description="The host half of provision.")
    verbs = parser.add_subparsers(required=True, metavar="VERB", parser_class=_Parser)

    def add(name: str, verb: Callable[[argparse.Namespace, Files], int], text: str) -> _Parser:
        one: _Parser = verbs.add_parser(name, help=text, description=text)
        one.add_argument("--root", default="/", help="a scratch root instead of this machine")
        one.set_defaults(verb=verb)
        return one

    add("inspect", _inspect, "InspectRequest on stdin (may be empty), Facts on stdout")
    add("changes", _changes, "Bundle on stdin, ChangeSet on stdout; exit code 2 if it differs")
    one = add("apply", _apply, "Bundle on stdin, ApplyResult on stdout")
    _transaction_options(one)
    one.add_argument("--confirm", type=int, metavar="SECONDS", help="roll back unless confirmed")
    one.add_argument("--checkpoint", metavar="NAME", help="keep the present generation by a name")
    one = add("rollback", _rollback, "apply a kept generation again, ApplyResult on stdout")
    one.add_argument("number", nargs="?", type=int, metavar="GENERATION")
    _transaction_options(one)
    one = add("remove", _remove, "ApplyResult on stdout")
    one.add_argument("--check", action="store_true", help="only tell what would be done")
    one.add_argument("--models", action="store_true", help="models in our users' homes go, too")
    one = add("recover", _recover, "back to the last commit after a run that was cut short")
    one.add_argument("--boot", action="store_true", help="before the units start; waits for none")
    add("confirm", _confirm, "keep what was applied with --confirm")
    add("expire", _expire, "the time to confirm is over").add_argument("transaction")
    add("history", _history, "the generations that are kept, without their contents")
    add("watch", _watch, "take instances that give no token out of the balancer; does not end")
    one = add("drift", _drift, "what differs from what was applied; exit code 7 if anything does")
    one.add_argument("--textfile", metavar="FILE", help="metrics for node_exporter")
    add("verify", _verify, "Report on stdout; exit code 7 if something is not as planned")
    add("status", _status, "what was applied last, and whether it runs")
    for name, verb, text in (
        ("guard", _guard, "before an instance starts: are exactly the planned GPUs there"),
        ("ready", _ready, "after an instance started: wait for readiness and one token"),
    ):
        add(name, verb, text).add_argument("name", metavar="NAME", help="the instance: chat.0")
    add("gpu-settings", _gpu_settings, "make the GPU settings of this host hold")
    return parser


def _transaction_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="only tell what would be done")
    parser.add_argument("--adopt", action="store_true", help="take over files of others")
    parser.add_argument("--overwrite", action="store_true", help="take back files edited by hand")
    parser.add_argument("--steady", type=float, metavar="SECONDS", help="what starts must stay up")
    parser.add_argument("--no-downtime", action="store_true", help="refuse what would leave a gap")


def _put(value: object) -> None:
    sys.stdout.write(dumps(value))
    sys.stdout.flush()


def _read(kind: type[T]) -> T:
    return loads(kind, sys.stdin.buffer.read(), "stdin")


def _progress(step: Step) -> None:
    took = f" ({step.seconds:.1f} s)" if step.seconds else ""
    print(f"{'ok  ' if step.ok else 'FAIL'} {step.subject}: {step.text}{took}", file=sys.stderr)


def _inspect(options: argparse.Namespace, files: Files) -> int:
    from .inspect import inspect

    del options
    text = sys.stdin.buffer.read()
    request = loads(InspectRequest, text, "stdin") if text.strip() else InspectRequest()
    _put(inspect(request, files.root))
    return Exit.OK


def _changes(options: argparse.Namespace, files: Files) -> int:
    from .transaction.changes import changes

    del options
    found = changes(_read(Bundle), files)
    _put(found)
    if found.conflicts:
        return Exit.CONFLICT
    return Exit.OK if found.empty else Exit.DIFFERS


def _options(options: argparse.Namespace) -> ApplyOptions:
    wished = ApplyOptions(
        adopt=options.adopt,
        overwrite=options.overwrite,
        confirm_seconds=getattr(options, "confirm", None),
        checkpoint=getattr(options, "checkpoint", None),
        no_downtime=options.no_downtime,
    )
    if options.steady is None:
        return wished
    return dataclasses.replace(wished, steady_seconds=options.steady)


def _apply(options: argparse.Namespace, files: Files) -> int:
    from .transaction.apply import apply, check

    bundle, wished = _read(Bundle), _options(options)
    if options.check:
        result = check(bundle, files, wished)
    else:
        result = apply(bundle, files, _progress, wished)
    _put(result)
    return result.exit_code


def _rollback(options: argparse.Namespace, files: Files) -> int:
    from .transaction.rollback import check_rollback, rollback

    wished = _options(options)
    if options.check:
        result = check_rollback(files, options.number, wished)
    else:
        result = rollback(files, _progress, options.number, wished)
    _put(result)
    return result.exit_code


def _remove(options: argparse.Namespace, files: Files) -> int:
    from .transaction.remove import remove

    result = remove(files, _progress, options.check, options.models)
    _put(result)
    return result.exit_code


def _recover(options: argparse.Namespace, files: Files) -> int:
    from .transaction.recover import recover

    result = recover(files, _progress, at_boot=options.boot)
    _put(result)
    return result.exit_code


def _confirm(options: argparse.Namespace, files: Files) -> int:
    from .transaction.confirm import confirm

    del options
    _put(confirm(files))
    return Exit.OK


def _expire(options: argparse.Namespace, files: Files) -> int:
    from .transaction.expire import expire

    result = expire(files, options.transaction, _progress)
    return result.exit_code if result else Exit.OK


def _history(options: argparse.Namespace, files: Files) -> int:
    from .transaction.generations import history, in_short

    del options
    _put(in_short(history(files)))
    return Exit.OK


def _watch(options: argparse.Namespace, files: Files) -> int:
    from .watch.watch import watch

    del options
    watch(files)
    return Exit.OK


def _drift(options: argparse.Namespace, files: Files) -> int:
    from .proof.drift import drift, prometheus, write_textfile

    found = drift(files)
    if options.textfile:
        write_textfile(files, options.textfile, prometheus(found))
    _put(found)
    return Exit.OK if found.as_applied else Exit.NOT_AS_PLANNED


def _verify(options: argparse.Namespace, files: Files) -> int:
    from .proof.verify import verify

    del options
    report = verify(files)
    _put(report)
    return Exit.OK if report.green else Exit.NOT_AS_PLANNED


def _status(options: argparse.Namespace, files: Files) -> int:
    from .proof.status import status

    del options
    found = status(files)
    _put(found)
    return Exit.OK if found.as_applied else Exit.NOT_AS_PLANNED


def _guard(options: argparse.Namespace, files: Files) -> int:
    from .unit.guard import guard

    guard(options.name, files)
    return Exit.OK


def _ready(options: argparse.Namespace, files: Files) -> int:
    from .unit.ready import environment_now, ready

    ready(options.name, files, environment_now())
    return Exit.OK


def _gpu_settings(options: argparse.Namespace, files: Files) -> int:
    from .unit.gpu_settings import gpu_settings

    del options
    gpu_settings(files)
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main())
