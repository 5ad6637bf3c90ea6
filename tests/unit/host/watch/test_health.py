"""Health of routes and of the whole, and the two files that tell it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.host.files import Files
from provision.host.watch.health import FOLDER, Health, health_of, remove_health, write_health

from .test_switch import nginx


@pytest.mark.parametrize(
    ("up", "backups", "status", "routes"),
    [
        ("abc", "", "ok", {"r": "ok", "s": "ok"}),
        ("ac", "", "degraded", {"r": "degraded", "s": "ok"}),
        ("ab", "", "degraded", {"r": "ok", "s": "unavailable"}),
        ("", "", "unavailable", {"r": "unavailable", "s": "unavailable"}),
        ("", "rs", "degraded", {"r": "degraded", "s": "degraded"}),
        ("", "s", "degraded", {"r": "unavailable", "s": "degraded"}),
    ],
)
def test_health(up: str, backups: str, status: str, routes: dict[str, str]) -> None:
    found = health_of(nginx({"r": "ab", "s": "c"}, *backups), set(up))
    assert (found.status, dict(found.routes)) == (status, routes)


def test_nothing_behind_the_proxy_is_no_fault() -> None:
    assert health_of(nginx({}), set()).status == "ok"


def tree(files: Files) -> dict[str, object]:
    top = files.at(FOLDER)
    return {
        str(one.relative_to(top)): json.loads(one.read_text())
        for one in sorted(top.rglob("*"))
        if one.is_file()
    }


def test_exactly_one_of_the_two_files(tmp_path: Path) -> None:
    files = Files(tmp_path)
    fine = Health("ok", {"r": "ok", "s": "ok"})
    write_health(files, fine, None)
    assert tree(files) == {
        "ok.json": {"status": "ok", "routes": {"r": "ok", "s": "ok"}},
        "r/ok.json": {"status": "ok", "routes": {"r": "ok"}},
        "s/ok.json": {"status": "ok", "routes": {"s": "ok"}},
    }
    half = Health("degraded", {"r": "unavailable", "s": "ok"})
    write_health(files, half, fine)
    assert sorted(tree(files)) == ["ok.json", "r/unavailable.json", "s/ok.json"]
    assert tree(files)["ok.json"] == {
        "status": "degraded",
        "routes": {"r": "unavailable", "s": "ok"},
    }
    write_health(files, Health("unavailable", {"r": "unavailable"}), half)
    assert sorted(tree(files)) == ["r/unavailable.json", "unavailable.json"]
    assert files.at(FOLDER).stat().st_mode & 0o777 == 0o755
    assert (files.at(FOLDER) / "unavailable.json").stat().st_mode & 0o777 == 0o644
    remove_health(files)
    assert not files.at(FOLDER).exists()


def test_what_an_earlier_watch_left_is_replaced(tmp_path: Path) -> None:
    """The other file of before would be found first."""
    files = Files(tmp_path)
    write_health(files, Health("ok", {"r": "ok", "old": "ok"}), None)
    write_health(files, Health("unavailable", {"r": "unavailable"}), None)
    assert sorted(tree(files)) == ["r/unavailable.json", "unavailable.json"]


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    files = Files(tmp_path)
    before = Health("ok", {"r": "ok", "s": "ok"})
    write_health(files, before, None)
    inode = (files.at(FOLDER) / "s/ok.json").stat().st_ino
    write_health(files, Health("degraded", {"r": "degraded", "s": "ok"}), before)
    assert (files.at(FOLDER) / "s/ok.json").stat().st_ino == inode
