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
from provision.host.files import TEMPORARY, Files
from provision.host.transaction.apply import apply
from provision.host.transaction.journal import JOURNAL
from provision.host.transaction.remove import remove
from provision.host.transaction.state import FOLDER, load_state, matches

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
