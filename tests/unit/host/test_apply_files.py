"""apply and remove under a scratch root: what is written, what is refused, what goes away."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.host.bundle import Artifact, KeyMap
from provision.host.errors import Exit, ProvisionError
from provision.host.files import Files
from provision.host.report import ApplyResult, Step
from provision.host.transaction.apply import apply, check
from provision.host.transaction.changes import changes
from provision.host.transaction.journal import JOURNAL, load_journal
from provision.host.transaction.lock import holder_in
from provision.host.transaction.remove import remove
from provision.host.transaction.state import STATE, load_state

from .bundles import DROP_IN, ENV, FIRST, UNIT, WANTS, bundle, quiet, rules, stamps, tree


@pytest.fixture
def files(tmp_path: Path) -> Files:
    root = tmp_path / "root"
    root.mkdir()
    return Files(root)


def test_first_apply_writes_all_and_records_it(files: Files) -> None:
    result = apply(bundle(), files, quiet)
    assert (result.exit_code, result.changed, result.generation) == (0, True, 1)
    assert files.read(ENV) == b"A=1\n"
    disk = files.look(ENV)
    assert disk and disk.mode == 0o600
    assert str(files.at(WANTS).readlink()) == UNIT
    state = load_state(files)
    assert state and [one.path for one in state.owned] == sorted([*FIRST, WANTS])
    assert not files.at(JOURNAL).exists()
    assert "/etc/systemd/system/ollama@chat.0.service.d" in state.before.folders
    assert "A=1" not in files.at(STATE).read_text(), "what only root may read is not in the State"
    assert "ExecStart=/bin/true" in files.at(STATE).read_text()


def test_second_apply_writes_nothing_at_all(files: Files) -> None:
    apply(bundle(), files, quiet)
    before = stamps(files)
    result = apply(bundle(), files, quiet)
    assert (result.changed, result.changes.empty, result.generation) == (False, True, 1)
    assert stamps(files) == before


def test_changes_tells_texts_and_writes_nothing(files: Files) -> None:
    apply(bundle(), files, quiet)
    before = stamps(files)
    found = changes(bundle({**FIRST, ENV: "A=2\n"}), files)
    (one,) = found.files
    assert (one.path, one.action, one.before, one.after) == (ENV, "update", "A=1\n", "A=2\n")
    assert stamps(files) == before
    assert check(bundle({**FIRST, ENV: "A=2\n"}), files).exit_code == Exit.DIFFERS
    assert stamps(files) == before


def test_what_is_no_longer_wanted_goes_with_its_folder(files: Files) -> None:
    apply(bundle(), files, quiet)
    result = apply(bundle({UNIT: FIRST[UNIT]}, links={WANTS: UNIT}), files, quiet)
    assert {one.path for one in result.changes.files if one.action == "remove"} == {DROP_IN, ENV}
    assert not files.at(DROP_IN).parent.exists()
    state = load_state(files)
    assert state and [one.path for one in state.owned] == sorted([UNIT, WANTS])


def test_a_wrong_mode_is_put_right(files: Files) -> None:
    apply(bundle(), files, quiet)
    files.at(ENV).chmod(0o644)
    (one,) = changes(bundle(), files).files
    assert (one.action, one.before_mode, one.after_mode) == ("update", 0o644, 0o600)
    apply(bundle(), files, quiet)
    assert files.at(ENV).stat().st_mode & 0o777 == 0o600


def test_a_missing_file_is_written_again(files: Files) -> None:
    apply(bundle(), files, quiet)
    files.at(DROP_IN).unlink()
    (one,) = apply(bundle(), files, quiet).changes.files
    assert (one.path, one.action) == (DROP_IN, "create")
    assert files.at(DROP_IN).exists()


def test_foreign_file_stops_before_any_write(files: Files) -> None:
    files.write(UNIT, b"[Service]\nType=simple\n")
    before = tree(files)
    result = apply(bundle(), files, quiet)
    assert (result.exit_code, result.changed, rules(result)) == (3, False, ["foreign-file"])
    assert "-Type=exec" in result.problems[0].message
    assert "+Type=simple" in result.problems[0].message
    assert "--adopt" in (result.problems[0].hint or "")
    assert tree(files) == before


@pytest.mark.parametrize("kind", ["directory", "link", "fifo"])
def test_other_things_at_our_path_are_conflicts(files: Files, kind: str) -> None:
    path = files.at(ENV)
    path.parent.mkdir(parents=True)
    if kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("/etc/shadow")
    else:
        os.mkfifo(path)
    result = apply(bundle(), files, quiet)
    assert (result.exit_code, rules(result)) == (3, ["foreign-file"])


def test_equal_foreign_file_is_adopted(files: Files) -> None:
    files.write(UNIT, FIRST[UNIT].encode())
    result = apply(bundle(), files, quiet)
    assert result.exit_code == 0
    assert UNIT not in [one.path for one in result.changes.files]
    state = load_state(files)
    assert state and state.owner_of(UNIT)


def test_hand_edit_is_a_conflict_also_for_what_is_no_longer_wanted(files: Files) -> None:
    apply(bundle(), files, quiet)
    files.write(DROP_IN, b"[Service]\nNice=5\n")
    before = tree(files)
    for wanted in (bundle(), bundle({UNIT: FIRST[UNIT], ENV: FIRST[ENV]})):
        result = apply(wanted, files, quiet)
        assert (result.exit_code, rules(result)) == (3, ["edited-by-hand"])
    assert tree(files) == before


def test_hand_edit_to_what_is_wanted_is_no_conflict(files: Files) -> None:
    apply(bundle(), files, quiet)
    files.write(ENV, b"A=2\n", 0o600)
    result = apply(bundle({**FIRST, ENV: "A=2\n"}), files, quiet)
    assert (result.exit_code, result.changed) == (0, False)
    state = load_state(files)
    assert state and state.generation == 2
    files.write(ENV, b"A=1\n", 0o600)  # what was applied before is a hand edit now
    assert apply(bundle({**FIRST, ENV: "A=3\n"}), files, quiet).exit_code == 3


def test_private_file_never_shows_in_a_conflict(files: Files) -> None:
    files.write(ENV, b"TOKEN=hunter2\n", 0o600)
    result = apply(bundle(), files, quiet)
    assert result.exit_code == 3
    assert "hunter2" not in result.problems[0].message


def test_secret_is_shown_as_changed_only_and_kept_from_the_record(files: Files) -> None:
    first = bundle({**FIRST, ENV: "KEY=one-secret\n"}, secret=(ENV,))
    apply(first, files, quiet)
    text = files.at(STATE).read_text()
    assert "one-secret" not in text
    owned = next(one for one in json.loads(text)["owned"] if one["path"] == ENV)
    assert ":" in owned["digest"], "salted"
    before = stamps(files)
    apply(first, files, quiet)
    assert stamps(files) == before
    (one,) = changes(bundle({**FIRST, ENV: "KEY=two\n"}, secret=(ENV,)), files).files
    assert (one.action, one.secret, one.before, one.after) == ("update", True, None, None)


def test_key_map_is_made_from_the_owners_file(files: Files) -> None:
    target = "/etc/nginx/provision/keys.map"
    wanted = bundle(key_maps=(KeyMap("/etc/llm/keys", target),))
    with pytest.raises(ProvisionError) as missing:
        apply(wanted, files, quiet)
    assert missing.value.diagnostics[0].rule == "secret-missing"
    assert tree(files) == {}
    files.write("/etc/llm/keys", b"# people\nsk-bbbbbbbb\n\n sk-aaaaaaaa \nsk-bbbbbbbb\n", 0o600)
    result = apply(wanted, files, quiet)
    lines = (files.read(target) or b"").decode().splitlines()
    assert lines == ['"~^Bearer sk-aaaaaaaa$" 2;', '"~^Bearer sk-bbbbbbbb$" 1;']
    assert files.at(target).stat().st_mode & 0o777 == 0o600
    assert "sk-aaaaaaaa" not in str(result) + files.at(STATE).read_text()
    files.write("/etc/llm/keys", b"sk-cccccccc\n", 0o600)
    assert [one.path for one in changes(wanted, files).files] == [target]


@pytest.mark.parametrize("line", ['sk-aaaa"; include /etc/shadow; #', "short", "sk aaaaaaaaaa"])
def test_hostile_keys_are_refused_and_not_shown(files: Files, line: str) -> None:
    files.write("/etc/llm/keys", f"# a\n{line}\n".encode(), 0o600)
    wanted = bundle(key_maps=(KeyMap("/etc/llm/keys", "/etc/nginx/provision/keys.map"),))
    with pytest.raises(ProvisionError) as refused:
        changes(wanted, files)
    assert "line 2" in str(refused.value) and line not in str(refused.value)


@pytest.mark.parametrize("path", ["etc/x", "/etc/../x", "/etc//x", "/etc/x/"])
def test_paths_that_are_not_plain_are_refused(files: Files, path: str) -> None:
    wanted = dataclasses.replace(bundle(), artifacts=(Artifact(path, "x"),))
    with pytest.raises(ProvisionError):
        apply(wanted, files, quiet)
    assert tree(files) == {}


def test_failed_write_is_rolled_back(files: Files) -> None:
    apply(bundle(), files, quiet)
    before = tree(files)
    blocked = "/etc/provision/instances/chat.0.env/below"  # a file stands where a folder must be
    result = apply(bundle({**FIRST, DROP_IN: "changed\n", blocked: "x"}), files, quiet)
    assert result.exit_code == Exit.ROLLED_BACK
    assert rules(result) == ["write-failed"]
    assert tree(files) == before
    assert load_journal(files) is None


def test_failed_first_apply_leaves_nothing(files: Files) -> None:
    files.write("/etc/a", b"")
    before = tree(files)
    result = apply(bundle({**FIRST, "/etc/a/b": "x"}), files, quiet)
    assert result.exit_code == Exit.ROLLED_BACK
    assert tree(files) == before


def test_a_mistake_in_the_middle_is_undone_before_it_is_told(files: Files) -> None:
    apply(bundle(), files, quiet)
    before = tree(files)

    def mistaken(step: Step) -> None:
        if step.subject == "files":
            raise KeyError("nobody foresaw this")

    with pytest.raises(KeyError):
        apply(bundle({**FIRST, DROP_IN: "changed\n"}), files, mistaken)
    assert tree(files) == before
    assert load_journal(files) is None


ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@pytest.fixture
def plain_signals() -> Iterator[None]:
    """As in a terminal: a test run in the background inherits an ignored SIGINT."""
    plain = (signal.SIG_DFL, signal.SIG_DFL, signal.default_int_handler)
    before = [signal.signal(one, plain[at]) for at, one in enumerate(ENDING)]
    yield
    for one, handler in zip(ENDING, before, strict=True):
        signal.signal(one, handler)


def disturbed_apply(files: Files, number: signal.Signals) -> ApplyResult:
    """An apply that gets a signal when its files are in place, and another on its way back."""

    def disturb(step: Step) -> None:
        if step.subject in ("files", "failed"):
            os.kill(os.getpid(), number)

    return apply(bundle({**FIRST, DROP_IN: "changed\n"}), files, disturb)


@pytest.mark.usefixtures("plain_signals")
@pytest.mark.parametrize("number", ENDING)
def test_a_signal_in_the_middle_is_undone(files: Files, number: signal.Signals) -> None:
    """A lost ssh session is a SIGHUP; a second signal does not stop the way back."""
    apply(bundle(), files, quiet)
    before = tree(files)
    result = disturbed_apply(files, number)
    assert (result.exit_code, rules(result)) == (Exit.ROLLED_BACK, ["interrupted"])
    assert tree(files) == before
    assert load_journal(files) is None


@pytest.mark.usefixtures("plain_signals")
def test_nohup_is_respected(files: Files) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    result = disturbed_apply(files, signal.SIGHUP)
    assert (result.exit_code, result.changed) == (Exit.OK, True)


def test_remove_leaves_the_root_as_it_was(files: Files) -> None:
    files.write("/etc/hosts", b"127.0.0.1 localhost\n")
    before = tree(files)
    apply(bundle(), files, quiet)
    told = remove(files, quiet, check=True)
    assert told.exit_code == Exit.DIFFERS
    assert {one.path for one in told.changes.files} == {*FIRST, WANTS}
    result = remove(files, quiet)
    assert (result.exit_code, result.changed) == (0, True)
    assert tree(files) == before
    assert not files.at("/run/provision.lock").exists()
    again = remove(files, quiet)
    assert (again.exit_code, again.changed, again.changes.empty) == (0, False, True)
    assert remove(files, quiet, check=True).exit_code == 0


def test_remove_keeps_a_hand_edited_file_beside_and_says_so(files: Files) -> None:
    apply(bundle(), files, quiet)
    files.write(DROP_IN, b"[Service]\nNice=5\n")
    result = remove(files, quiet)
    assert result.exit_code == 0
    assert files.read(DROP_IN + ".provision-saved") == b"[Service]\nNice=5\n"
    assert not files.at(DROP_IN).exists() and not files.at(UNIT).exists()
    assert "edited-by-hand" in rules(result)


def test_remove_leaves_files_of_others_in_our_folders(files: Files) -> None:
    apply(bundle(), files, quiet)
    files.write("/etc/provision/instances/note.txt", b"mine")
    result = remove(files, quiet)
    assert files.read("/etc/provision/instances/note.txt") == b"mine"
    assert "folder-stays" in rules(result)


HOLDER = """\
import sys, time
from pathlib import Path
from provision.host.files import Files
from provision.host.transaction.lock import hold
with hold(Files(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_run_is_named_and_nothing_is_written(files: Files) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(files.root)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        with pytest.raises(ProvisionError) as locked:
            apply(bundle(), files, quiet)
        assert locked.value.exit_code == Exit.LOCKED
        assert f"pid {holder.pid}" in str(locked.value)
        assert tree(files) == {}
    finally:
        holder.kill()
        holder.wait()
    assert apply(bundle(), files, quiet).exit_code == 0


def test_holder_in_proc_locks() -> None:
    text = (
        "1: POSIX  ADVISORY  WRITE 812 fe:00:77 0 EOF\n"
        "2: FLOCK  ADVISORY  WRITE 4711 00:1b:77 0 EOF\n"
        "2: -> FLOCK  ADVISORY  WRITE 4712 00:1b:77 0 EOF\n"
    )
    assert holder_in(text, 77) == 4711
    assert holder_in(text, 7) is None


def test_damaged_state_is_an_error_and_not_an_empty_one(files: Files) -> None:
    apply(bundle(), files, quiet)
    files.write(STATE, b"{")
    with pytest.raises(ProvisionError) as damaged:
        apply(bundle(), files, quiet)
    assert damaged.value.diagnostics[0].rule == "bad-document"
