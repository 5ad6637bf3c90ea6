"""Generations under a scratch root: kept, named, pruned, and gone back to."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from provision.host.bundle import Artifact, Bundle
from provision.host.document import dumps, from_plain, to_plain
from provision.host.errors import Exit, ProvisionError
from provision.host.files import Files
from provision.host.transaction.apply import apply
from provision.host.transaction.confirm import CONFIRMATION, Confirmation, awaited, confirm
from provision.host.transaction.expire import expire
from provision.host.transaction.generations import (
    GENERATIONS,
    KEPT,
    OBJECTS,
    checkpoint_named,
    history,
    load_generation,
    numbers,
)
from provision.host.transaction.journal import Journal, save_journal
from provision.host.transaction.options import ApplyOptions
from provision.host.transaction.recover import recover
from provision.host.transaction.remove import remove
from provision.host.transaction.rollback import check_rollback, rollback
from provision.host.transaction.state import load_state

from .bundles import ENV, FIRST, bundle, quiet, tree

AGENT = "/usr/local/lib/provision/provision-host-"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "root")


def numbered(number: int, program: str = "AAAA") -> Bundle:
    """A bundle of its own, with a program as the agent is one."""
    made = bundle({**FIRST, ENV: f"A={number}\n"})
    agent = Artifact(f"{AGENT}{program}.pyz", program, encoding="base64")
    plain = to_plain(made)
    plain["artifacts"] = sorted([*plain["artifacts"], to_plain(agent)], key=lambda one: one["path"])
    return from_plain(Bundle, plain)


def env(files: Files) -> bytes | None:
    return files.read(ENV)


def test_every_apply_is_kept_whole(files: Files) -> None:
    for number in (1, 2):
        apply(numbered(number), files, quiet)
    found = history(files)
    assert [(one.number, one.note, one.of) for one in found] == [
        (1, "apply", None),
        (2, "apply", None),
    ]
    state = load_state(files)
    assert state and (state.generation, state.transaction) == (2, found[1].transaction)
    assert load_generation(files, 1).bundle == numbered(1), "programs included"
    mode = files.at(f"{GENERATIONS}/1.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600, "contents of root-only files stand in it"
    assert len(list(files.at(OBJECTS).iterdir())) == 1, "the same program is kept once"


def test_an_apply_without_changes_makes_no_generation(files: Files) -> None:
    apply(numbered(1), files, quiet)
    before = tree(files)
    assert apply(numbered(1), files, quiet).changed is False
    assert tree(files) == before


def test_rollback_goes_to_the_one_before_and_on(files: Files) -> None:
    for number in (1, 2, 3):
        apply(numbered(number), files, quiet)
    result = rollback(files, quiet)
    assert (result.exit_code, result.generation, env(files)) == (0, 4, b"A=2\n")
    assert (history(files)[-1].of, history(files)[-1].note) == (2, "rollback to 2")
    rollback(files, quiet)
    assert env(files) == b"A=1\n", "a second one goes further back, not to and fro"
    with pytest.raises(ProvisionError, match="no generation older"):
        rollback(files, quiet)
    rollback(files, quiet, 3)
    assert env(files) == b"A=3\n"


def test_rollback_to_what_stands_changes_nothing(files: Files) -> None:
    apply(numbered(1), files, quiet)
    before = tree(files)
    result = rollback(files, quiet, 1)
    assert (result.exit_code, result.changed) == (0, False)
    assert tree(files) == before


def test_rollback_tells_before_it_does(files: Files) -> None:
    apply(numbered(1), files, quiet)
    apply(numbered(2), files, quiet)
    before = tree(files)
    told = check_rollback(files)
    assert told.exit_code == Exit.DIFFERS
    assert [one.path for one in told.changes.files] == [ENV]
    assert tree(files) == before


def test_rollback_to_0_removes(files: Files) -> None:
    apply(numbered(1), files, quiet)
    assert rollback(files, quiet, 0).exit_code == 0
    assert tree(files) == {}


@pytest.mark.parametrize("number", [7, -1])
def test_an_unknown_generation_names_those_that_there_are(files: Files, number: int) -> None:
    apply(numbered(1), files, quiet)
    with pytest.raises(ProvisionError, match="there are: 1"):
        rollback(files, quiet, number)


def test_old_ones_go_and_checkpoints_stay(files: Files) -> None:
    apply(numbered(1, "BBBB"), files, quiet)
    apply(numbered(2), files, quiet, ApplyOptions(checkpoint="before"))
    for number in range(3, KEPT + 5):
        apply(numbered(number), files, quiet)
    last = KEPT + 4
    assert numbers(files) == (1, *range(last - KEPT + 1, last + 1))
    named = checkpoint_named(files, "before")
    assert named and named.number == 1, "what stood before the apply bears the name"
    assert len(list(files.at(OBJECTS).iterdir())) == 2
    rollback(files, quiet, 1)
    assert env(files) == b"A=1\n"


def test_a_checkpoints_name_moves(files: Files) -> None:
    apply(numbered(1), files, quiet)
    apply(numbered(2), files, quiet, ApplyOptions(checkpoint="good"))
    apply(numbered(3), files, quiet, ApplyOptions(checkpoint="good"))
    assert [one.checkpoint for one in history(files)] == [None, "good", None]


def test_a_failed_apply_leaves_no_generation(files: Files) -> None:
    apply(numbered(1), files, quiet)
    before = tree(files)
    files.at("/etc/hosts").write_text("x")
    wish = bundle({**FIRST, "/etc/hosts/below": "x"})
    assert apply(wish, files, quiet).exit_code == Exit.ROLLED_BACK
    files.at("/etc/hosts").unlink()
    assert tree(files) == before


def test_a_failed_apply_takes_its_checkpoints_name_back(files: Files) -> None:
    named = ApplyOptions(checkpoint="good")
    apply(numbered(1), files, quiet)
    apply(numbered(2), files, quiet, named)
    before = tree(files)
    files.at("/etc/hosts").write_text("x")
    wish = bundle({**FIRST, "/etc/hosts/below": "x"})
    assert apply(wish, files, quiet, named).exit_code == Exit.ROLLED_BACK
    files.at("/etc/hosts").unlink()
    assert tree(files) == before, "the name is where it was"
    assert apply(wish, files, quiet, named).exit_code == 0
    assert [one.checkpoint for one in history(files)] == [None, "good", None]


def test_unconfirmed_is_taken_back_and_confirmed_stays(files: Files) -> None:
    apply(numbered(1), files, quiet)
    apply(numbered(2), files, quiet, ApplyOptions(confirm_seconds=60))
    waiting = awaited(files)
    assert waiting and (waiting.generation, waiting.back_to) == (2, 1)
    refused = apply(numbered(3), files, quiet)
    assert [one.rule for one in refused.problems] == ["unconfirmed"]
    assert expire(files, "of another run", quiet) is None
    result = expire(files, waiting.transaction, quiet)
    assert result and (result.exit_code, env(files)) == (0, b"A=1\n")
    assert awaited(files) is None and files.read(CONFIRMATION) is None
    assert history(files)[-1].note == "generation 2 was not confirmed"
    apply(numbered(2), files, quiet, ApplyOptions(confirm_seconds=60))
    kept = confirm(files)
    assert expire(files, kept.transaction, quiet) is None
    assert env(files) == b"A=2\n"
    with pytest.raises(ProvisionError, match="no apply waits"):
        confirm(files)


def test_of_a_run_that_was_cut_short_nobody_waits_for_a_confirmation(files: Files) -> None:
    apply(numbered(1), files, quiet)
    before = tree(files)
    save_journal(files, Journal(Journal.VERSION, "cut-short", pid=1, generation=2))
    waiting = Confirmation(Confirmation.VERSION, "cut-short", 2, 1, 0, "/usr/bin/python3")
    files.write(CONFIRMATION, dumps(waiting).encode())
    assert recover(files, quiet).exit_code == 0
    assert tree(files) == before


def test_an_unconfirmed_first_apply_is_removed(files: Files) -> None:
    apply(numbered(1), files, quiet, ApplyOptions(confirm_seconds=60))
    waiting = awaited(files)
    assert waiting and waiting.back_to == 0
    expire(files, waiting.transaction, quiet)
    assert tree(files) == {}


def test_an_edit_meanwhile_is_kept_aside_when_time_is_over(files: Files) -> None:
    apply(numbered(1), files, quiet)
    apply(numbered(2), files, quiet, ApplyOptions(confirm_seconds=60))
    files.write(ENV, b"A=mine\n")
    waiting = awaited(files)
    assert waiting
    result = expire(files, waiting.transaction, quiet)
    assert result and env(files) == b"A=1\n"
    kept = [path for path, one in tree(files).items() if one[2] == b"A=mine\n"]
    assert kept == [f"/var/lib/provision/backups/{result.generation}{ENV}"]


def test_rollback_answers_an_unconfirmed_apply(files: Files) -> None:
    apply(numbered(1), files, quiet)
    apply(numbered(2), files, quiet, ApplyOptions(confirm_seconds=60))
    assert rollback(files, quiet).exit_code == 0
    assert env(files) == b"A=1\n" and awaited(files) is None
    assert apply(numbered(3), files, quiet).exit_code == 0


def test_a_generation_of_another_version_is_refused(files: Files) -> None:
    apply(numbered(1), files, quiet)
    path = f"{GENERATIONS}/1.json"
    text = (files.read(path) or b"").decode().replace('"version": 1', '"version": 99', 1)
    files.write(path, text.encode(), 0o600)
    with pytest.raises(ProvisionError, match="version is 99"):
        history(files)


def test_removal_takes_generations_along(files: Files) -> None:
    for number in (1, 2):
        apply(numbered(number), files, quiet)
    assert remove(files, quiet).exit_code == 0
    assert tree(files) == {}
