"""provision fleet inspect|plan|apply|verify|remove -i INVENTORY"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from provision.host.errors import Exit, fail

from .options import json_option, yes_option

if TYPE_CHECKING:
    from provision.fleet.playbooks import Verb
    from provision.fleet.result import FleetResult
    from provision.fleet.rollout import Rollout

F = TypeVar("F", bound=Callable[..., Any])


def _shared(command: F) -> F:
    """Options of every fleet command."""
    for option in reversed(
        (
            click.option(
                "-i",
                "--inventory",
                multiple=True,
                required=True,
                metavar="FILE",
                help="Ansible inventory: a file, a folder, a list with a comma. Repeatable.",
            ),
            click.option(
                "-l", "--limit", metavar="HOSTS", help="These hosts or groups alone, as in Ansible."
            ),
            click.option(
                "--forks",
                type=click.IntRange(1, 500),
                default=25,
                show_default=True,
                help="Hosts that are worked on at the same time.",
            ),
            json_option,
        )
    ):
        command = option(command)
    return command


_check = click.option(
    "--check", is_flag=True, help="Only say what would change. Exit code 2: something would."
)
_diff = click.option("--diff", is_flag=True, help="Show every file that differs, but no secret.")
_batch = click.option(
    "--serial", metavar="N", help="So many hosts at a time: a number or a share such as 10%."
)
_halt = click.option(
    "--max-fail-percentage",
    type=click.IntRange(0, 100),
    default=100,
    show_default=True,
    help="No further batch once more hosts than this have failed; 0: after the first.",
)


@click.group("fleet", short_help="Many hosts through Ansible, a line a host.")
def fleet() -> None:
    """The same for many hosts: their specs stand in an Ansible inventory.

    Each host is inspected, planned and rendered for on this machine, and applied and verified
    there, with nothing on the host but ssh and Python 3.10. A host that fails fails alone.
    """


@fleet.command("inspect", short_help="Bring up the facts of every host.")
@_shared
@click.option(
    "--facts-dir",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write each host's facts to DIR/HOST.json, for `fleet plan --facts-dir`.",
)
def inspect(facts_dir: Path | None, **options: Any) -> Exit:
    """Inspect every host; nothing is changed."""
    result, code = _run("inspect", options)
    if facts_dir is not None:
        _save_facts(result, facts_dir)
    return code


@fleet.command("plan", short_help="What would run where, on every host.")
@_shared
@click.option(
    "--facts-dir",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Plan with the facts in DIR/HOST.json; no host is contacted.",
)
def plan(facts_dir: Path | None, **options: Any) -> Exit:
    """Plan every host in short; `provision plan` tells all about one. Nothing is changed."""
    variables = {"provision_facts_dir": str(facts_dir.resolve())} if facts_dir else {}
    return _run("plan", options, variables=variables)[1]


@fleet.command("apply", short_help="Bring every host to the state of its spec, and verify.")
@_shared
@_check
@_diff
@_batch
@_halt
@click.option("--no-verify", is_flag=True, help="Leave out the proof after it.")
@yes_option
def apply(
    check: bool,
    diff: bool,
    serial: str | None,
    max_fail_percentage: int,
    no_verify: bool,
    yes: bool,
    **options: Any,
) -> Exit:
    """Inspect, plan and render for all hosts, then apply and verify each.

    Without --yes, what would change is shown first and you are asked.
    """
    variables = _batches(serial, max_fail_percentage)
    more = {"variables": variables, "verify": not no_verify}
    return _ask_and_run("apply", options, more, check=check, diff=diff, yes=yes)


@fleet.command("verify", short_help="Prove that every host runs what was applied.")
@_shared
def verify(**options: Any) -> Exit:
    """Verify every host against what was applied to it last; nothing is changed."""
    return _run("verify", options)[1]


@fleet.command("remove", short_help="Leave every host as it was before.")
@_shared
@_check
@_diff
@_batch
@_halt
@yes_option
def remove(
    check: bool,
    diff: bool,
    serial: str | None,
    max_fail_percentage: int,
    yes: bool,
    **options: Any,
) -> Exit:
    """Take everything of provision off every host.

    Without --yes, what would go is shown first and you are asked.
    """
    variables = {**_batches(serial, max_fail_percentage), "provision_confirm": "remove"}
    more = {"variables": variables}
    return _ask_and_run("remove", options, more, check=check, diff=diff, yes=yes)


def _ask_and_run(
    verb: Verb, options: dict[str, Any], more: dict[str, Any], *, check: bool, diff: bool, yes: bool
) -> Exit:
    """With --yes or --check at once; else predict, ask, and do."""
    if yes or check:
        return _run(verb, options, check=check, diff=diff, **more)[1]
    from . import asking

    asking.demand_somebody(yes)
    predicted, code = _run(verb, {**options, "as_json": False}, check=True, diff=diff, **more)
    ready = [one for one in predicted.hosts if one.state == "ok" and one.changed]
    if not ready:
        return Exit.OK if code == Exit.OK else code
    names = ", ".join(one.host for one in ready)
    if not asking.agreed(f"{verb.capitalize()} on {names}?", yes):
        print("nothing was changed", file=sys.stderr)
        return Exit.ERROR
    # A host that was refused is not tried again.
    refused = predicted.failed
    if refused:
        options = {
            **options,
            "limit": ",".join(one.host for one in predicted.hosts if one.state == "ok"),
        }
    code = _run(verb, options, **more)[1]
    return max(code, *(Exit(one.exit_code or 1) for one in refused)) if refused else code


def _run(
    verb: Verb, options: dict[str, Any], *, check: bool = False, diff: bool = False, **more: Any
) -> tuple[FleetResult, Exit]:
    """One playbook over the fleet: lines as it goes, the summary or the JSON document, the code."""
    from provision.fleet.rollout import Progress, Rollout
    from provision.fleet.rollout import run as roll

    from .fleet_screen import FleetScreen
    from .outputs import put_document

    as_json: bool = options["as_json"]
    screen = FleetScreen(verb, check, sys.stderr if as_json else sys.stdout)
    rollout: Rollout = Rollout(
        verb=verb,
        inventory=tuple(options["inventory"]),
        limit=options["limit"],
        forks=options["forks"],
        check=check,
        diff=diff,
        **more,
    )
    result = roll(rollout, Progress(ended=screen.host, phase=screen.phase))
    for one in result.hosts:
        if one.state == "untouched":
            screen.host(one)
    screen.summary(result)
    if as_json:
        put_document(result)
    return result, result.exit_code


def _batches(serial: str | None, max_fail_percentage: int) -> dict[str, Any]:
    variables: dict[str, Any] = {"provision_max_fail_percentage": max_fail_percentage}
    if serial is not None:
        number = serial.removesuffix("%")
        if not number.isdigit() or int(number) < 1 or (serial != number and int(number) > 100):
            raise fail(
                "bad-serial",
                f"--serial is {serial!r}, it must be a number from 1 or a share from 1% to 100%",
                exit_code=Exit.USAGE,
            )
        variables["provision_serial"] = serial
    return variables


def _save_facts(result: FleetResult, folder: Path) -> None:
    from provision.fleet.specs import file_name

    from .outputs import save_document

    folder.mkdir(parents=True, exist_ok=True)
    saved = [one for one in result.hosts if one.facts]
    for one in saved:
        save_document(one.facts, folder / file_name(one.host))
    print(
        f"wrote the facts of {len(saved)} of {len(result.hosts)} hosts to {folder}", file=sys.stderr
    )
