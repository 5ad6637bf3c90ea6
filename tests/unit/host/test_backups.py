"""--adopt and --overwrite under a scratch root: what stood in the way is kept, and given back."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.errors import Exit
from provision.host.files import Files
from provision.host.transaction.apply import apply, check
from provision.host.transaction.options import ApplyOptions
from provision.host.transaction.remove import remove

from .bundles import DROP_IN, FIRST, UNIT, WANTS, bundle, quiet, tree

ADOPT = ApplyOptions(adopt=True)
OVERWRITE = ApplyOptions(overwrite=True)
BACKUPS = "/var/lib/provision/backups"
RECOVERY = (
    "/etc/systemd/system/provision-recover.service",
    "/usr/local/lib/provision/agent",
)
CHANGED = {**FIRST, UNIT: "[Service]\nType=exec\nNice=1\n"}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "root").mkdir()
    return Files(tmp_path / "root")


def backups(files: Files) -> dict[str, bytes]:
    return {
        path: one[2]
        for path, one in tree(files).items()
        if path.startswith(BACKUPS) and one[0] != "directory"
    }


def test_a_foreign_file_is_taken_over_and_given_back(files: Files) -> None:
    files.write(UNIT, b"[Service]\nType=simple\n", 0o640)
    before = tree(files)
    told = check(bundle(), files, ADOPT)
    assert told.exit_code == Exit.DIFFERS
    assert [one.note for one in told.changes.files if one.path == UNIT] == [
        "somebody else's, kept aside"
    ]
    assert apply(bundle(), files, quiet, ADOPT).exit_code == 0
    assert backups(files) == {f"{BACKUPS}/1{UNIT}": b"[Service]\nType=simple\n"}
    assert apply(bundle(), files, quiet).changed is False
    assert apply(bundle(CHANGED), files, quiet).exit_code == 0, "it is ours now"
    assert remove(files, quiet).exit_code == 0
    assert tree(files) == before


@pytest.mark.parametrize("path", RECOVERY)
def test_what_a_boot_needs_is_no_exception(files: Files, path: str) -> None:
    """`remove` takes these behind its commit; what others wrote there is not lost with them."""
    wish = bundle({path: "ours\n"})
    files.write(path, b"theirs\n", 0o640)
    before = tree(files)
    apply(wish, files, quiet, ADOPT)
    assert files.read(path) == b"ours\n"
    assert remove(files, quiet).exit_code == 0
    assert tree(files) == before
    files.remove(path)
    apply(wish, files, quiet)
    files.write(path, b"edited\n")
    assert remove(files, quiet).exit_code == 0
    assert files.read(path) is None
    assert files.read(f"{path}.provision-saved") == b"edited\n"


def test_overwrite_takes_no_foreign_file_and_adopt_no_edit(files: Files) -> None:
    files.write(UNIT, b"theirs\n")
    assert apply(bundle(), files, quiet, OVERWRITE).exit_code == Exit.CONFLICT
    files.remove(UNIT)
    apply(bundle(), files, quiet)
    files.write(UNIT, b"edited\n")
    assert apply(bundle(), files, quiet, ADOPT).exit_code == Exit.CONFLICT
    assert files.read(UNIT) == b"edited\n"


def test_a_hand_edit_is_overwritten_and_kept(files: Files) -> None:
    apply(bundle(), files, quiet)
    files.write(UNIT, b"edited\n", 0o600)
    result = apply(bundle(CHANGED), files, quiet, OVERWRITE)
    assert (result.exit_code, result.generation) == (0, 2)
    assert files.read(UNIT) == CHANGED[UNIT].encode()
    assert backups(files) == {f"{BACKUPS}/2{UNIT}": b"edited\n"}
    kept = files.look(f"{BACKUPS}/2{UNIT}")
    assert kept and kept.mode == 0o600


def test_an_edit_to_what_is_no_longer_wanted_is_kept_too(files: Files) -> None:
    apply(bundle(), files, quiet)
    files.write(DROP_IN, b"edited\n")
    less = bundle({path: text for path, text in FIRST.items() if path != DROP_IN})
    assert apply(less, files, quiet).exit_code == Exit.CONFLICT
    assert apply(less, files, quiet, OVERWRITE).exit_code == 0
    assert files.read(DROP_IN) is None
    assert list(backups(files).values()) == [b"edited\n"]


def test_a_link_is_kept_as_a_link(files: Files) -> None:
    files.link(WANTS, "/dev/null")
    assert apply(bundle(), files, quiet, ADOPT).exit_code == 0
    kept = files.look(f"{BACKUPS}/1{WANTS}")
    assert kept and (kept.kind, kept.content) == ("link", b"/dev/null")


def test_a_folder_in_the_way_stays_a_conflict(files: Files) -> None:
    files.at(UNIT).mkdir(parents=True)
    result = apply(bundle(), files, quiet, ApplyOptions(adopt=True, overwrite=True))
    assert result.exit_code == Exit.CONFLICT


def test_a_failed_apply_gives_everything_back(files: Files) -> None:
    files.write(UNIT, b"theirs\n")
    files.write("/etc/hosts", b"x")
    before = tree(files)
    wish = bundle({**FIRST, "/etc/hosts/below": "x"})
    assert apply(wish, files, quiet, ADOPT).exit_code == Exit.ROLLED_BACK
    assert tree(files) == before
