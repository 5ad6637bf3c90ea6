"""A run is killed at every one of its writes; the next run completes what it began.

Each run is a forked child that counts its own changing calls by an audit hook and kills itself by
SIGKILL just before the k-th, for every k until one comes to its end: no hook in the product.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from provision.host.bundle import Bundle
from provision.host.files import TEMPORARY, Files, sync_folder
from provision.host.names import RECOVER_UNIT, UNITS
from provision.host.transaction.apply import apply
from provision.host.transaction.journal import JOURNAL
from provision.host.transaction.remove import remove
from provision.host.transaction.state import AGENT_FOLDER, FOLDER, load_state, matches

from .bundles import DROP_IN, ENV, FIRST, UNIT, WANTS, bundle, quiet, tree

OTHER = "/etc/systemd/system/ollama@more.0.service.d/10-provision.conf"
# every kind of change at once: update, create with folders, removal with folders, a changed link
SECOND = bundle(
    {UNIT: "[Service]\nType=exec\nNice=1\n", ENV: "A=2\n", OTHER: "[Service]\n"},
    links={WANTS: UNIT + "-other"},
)
CHANGING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate")
MOST = 200
BARE = ["/etc", "/etc/hosts", "/var", "/var/lib"]


def killed_at(number: int, run: Callable[[], object]) -> bool:
    """Run in a child that dies before its number-th change; whether it died."""
    child = os.fork()
    if child == 0:
        left = number

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            writing = (
                event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
            )
            if not writing and event not in CHANGING:
                return
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        code = 1
        try:
            run()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def fresh(folder: Path, first: bool) -> Files:
    folder.mkdir()
    files = Files(folder)
    files.write("/etc/hosts", b"127.0.0.1 localhost\n")
    files.at("/var/lib").mkdir(parents=True)
    if first:
        assert apply(bundle(), files, quiet).exit_code == 0
    return files


def clean(files: Files) -> None:
    """No half-written file, no record of a run, the State tells the truth."""
    assert not [path for path in files.root.rglob("*") if path.name.startswith(TEMPORARY)]
    assert not files.at(JOURNAL).exists()
    state = load_state(files)
    assert state
    for one in state.owned:
        disk = files.look(one.path)
        assert disk and matches(one.digest, disk), one.path


@pytest.mark.parametrize("first", [True, False], ids=["update", "create"])
def test_apply_killed_anywhere_is_completed_by_the_next(tmp_path: Path, first: bool) -> None:
    whole = fresh(tmp_path / "whole", first)
    apply(SECOND, whole, quiet)
    wanted = without_record(whole)
    deaths = 0
    for number in range(1, MOST):
        files = fresh(tmp_path / str(number), first)
        if not killed_at(number, partial(apply, SECOND, files, quiet)):
            break
        deaths += 1
        result = apply(SECOND, files, quiet)
        assert result.exit_code == 0, result.problems
        assert without_record(files) == wanted
        clean(files)
        assert apply(SECOND, files, quiet).changed is False
        # what was made by the killed run is known as ours: removal leaves nothing
        assert remove(files, quiet).exit_code == 0
        assert list(tree(files)) == BARE
    assert 10 < deaths < MOST - 1


def test_apply_killed_anywhere_can_be_removed(tmp_path: Path) -> None:
    for number in range(1, MOST):
        files = fresh(tmp_path / str(number), True)
        if not killed_at(number, partial(apply, SECOND, files, quiet)):
            break
        result = remove(files, quiet)
        assert result.exit_code == 0 and not result.problems, result.problems
        assert list(tree(files)) == BARE


def test_apply_killed_anywhere_then_another_wish(tmp_path: Path) -> None:
    """The run that follows wants a third state; nothing of the killed one is left over."""
    third = bundle({UNIT: FIRST[UNIT], DROP_IN: "[Service]\nNice=9\n"})
    whole = fresh(tmp_path / "whole", True)
    apply(third, whole, quiet)
    wanted = without_record(whole)
    for number in range(1, MOST):
        files = fresh(tmp_path / str(number), True)
        if not killed_at(number, partial(apply, SECOND, files, quiet)):
            break
        if killed_at(7, partial(apply, third, files, quiet)):  # and that one dies too
            assert apply(third, files, quiet).exit_code == 0
        assert without_record(files) == wanted
        clean(files)


def test_failure_after_a_killed_run_goes_back_to_the_last_commit(tmp_path: Path) -> None:
    failing = bundle({**FIRST, DROP_IN: "third\n", "/etc/hosts/below": "x"})
    for number in range(1, MOST):
        files = fresh(tmp_path / str(number), True)
        committed = without_record(files)
        generation = generation_of(files)
        died = killed_at(number, partial(apply, SECOND, files, quiet))
        if not died:
            break
        if generation_of(files) != generation:  # killed behind its commit
            continue
        result = apply(failing, files, quiet)
        assert result.exit_code == 5, result.problems
        assert without_record(files) == committed
        clean(files)


def test_remove_killed_anywhere_is_completed_by_the_next(tmp_path: Path) -> None:
    deaths = 0
    for number in range(1, MOST):
        files = fresh(tmp_path / str(number), True)
        if not killed_at(number, partial(remove, files, quiet)):
            break
        deaths += 1
        assert remove(files, quiet).exit_code == 0
        assert list(tree(files)) == BARE
    assert 5 < deaths < MOST - 1


def without_record(files: Files) -> dict[str, tuple[str, int, bytes]]:
    return {path: one for path, one in tree(files).items() if not path.startswith(FOLDER + "/")}


def generation_of(files: Files) -> int:
    state = load_state(files)
    return state.generation if state else 0


def test_the_hook_itself_kills(tmp_path: Path) -> None:
    files = Files(tmp_path)
    wish: Bundle = bundle()
    assert killed_at(1, lambda: apply(wish, files, quiet))
    assert not killed_at(MOST, lambda: apply(wish, files, quiet))


def test_a_removal_keeps_what_a_boot_needs_as_long_as_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at whenever names are made durable, which is what a power loss then leaves."""
    unit, agent = f"{UNITS}{RECOVER_UNIT}", f"{AGENT_FOLDER}/host.pyz"
    link = f"{UNITS}multi-user.target.wants/{RECOVER_UNIT}"
    files = fresh(tmp_path / "root", False)
    before = tree(files)
    apply(bundle({**FIRST, unit: "[Service]\n", agent: "PK"}, {link: unit}), files, quiet)
    seen: list[tuple[bool, bool]] = []

    def look_and_sync(folder: Path) -> None:
        sync_folder(folder)
        if load_state(files) is None:
            needed = all(files.look(one) for one in (unit, agent, link))
            seen.append((files.look(JOURNAL) is not None, needed))

    monkeypatch.setattr("provision.host.files.sync_folder", look_and_sync)
    assert remove(files, quiet).exit_code == 0
    assert (True, True) in seen, "behind the commit"
    assert (True, False) not in seen, "no boot would end it"
    assert tree(files) == before


def test_what_is_taken_together(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for path in ("/a/one", "/a/two", "/b/kept", "/named-like-a-folder"):
        files.write(path, b"x")
    files.link("/a/link", "/b")
    files.remove_together(
        ["/a/one", "/a/link", "/a/none", "/a/two", "/a/", "/b/", "/named-like-a-folder/", "/c/"]
    )
    assert list(tree(files)) == ["/b", "/b/kept", "/named-like-a-folder"]
