"""Drift on disk: what is not as applied, and what is no drift."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provision.host.balancer.holds import Held, Holds, save_holds
from provision.host.balancer.upstreams import answer_line
from provision.host.bundle import Artifact
from provision.host.document import dumps, loads
from provision.host.errors import ProvisionError
from provision.host.files import TEMPORARY, Files
from provision.host.proof.drift import drift
from provision.host.proof.drift_report import KINDS, DriftReport
from provision.host.proof.status import status
from provision.host.transaction.journal import Journal, save_journal
from provision.host.transaction.state import content_of, mode_of, own, save_state

from .drifting import (
    ANSWER,
    DOWN,
    DROP_IN,
    ENTRY,
    ENV,
    LINE,
    TEMPLATE,
    TIMER_WANTS,
    UNIT,
    WANTS,
    state,
)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A scratch root with everything as a last apply left it."""
    files = Files(tmp_path)
    for one in state().bundle.artifacts:
        if one.kind == "link":
            files.link(one.path, one.content)
        else:
            files.write(one.path, content_of(one), mode_of(one))
    save_state(files, state())
    return files


def told(report: DriftReport) -> list[tuple[str, str]]:
    assert {one.kind for one in report.items} <= set(KINDS)
    return [(one.kind, one.subject) for one in report.items]


def test_nothing_drifted(files: Files) -> None:
    report = drift(files)
    assert (report.host, report.generation) == ("box", 3)
    assert (report.items, report.unknown, report.interrupted) == ((), (), False)
    assert report.as_applied
    assert loads(DriftReport, dumps(report)) == report


def test_nothing_was_applied(tmp_path: Path) -> None:
    assert drift(Files(tmp_path)) == DriftReport(1)
    assert status(Files(tmp_path)).as_applied


def test_every_way_in_which_a_file_can_differ(files: Files) -> None:
    files.at(DROP_IN).write_text("[Service]\nCPUAffinity=4-7\n")
    files.at(TEMPLATE).unlink()
    files.at(ENV).chmod(0o644)
    files.remove(WANTS)
    files.link(TIMER_WANTS, "/elsewhere")
    report = drift(files)
    assert told(report) == [
        ("file-edited", DROP_IN),
        ("file-edited", TIMER_WANTS),
        ("file-missing", TEMPLATE),
        ("file-mode", ENV),
        ("unit-disabled", UNIT),
    ]
    by_kind = {one.kind: one for one in report.items}
    assert (by_kind["file-mode"].expected, by_kind["file-mode"].actual) == ("0600", "0644")
    assert by_kind["file-edited"].actual == "leads to /elsewhere"
    assert by_kind["unit-disabled"].expected == "started by provision.target"
    assert not report.as_applied


def test_a_folder_where_a_file_was(files: Files) -> None:
    files.remove(ENTRY)
    files.at(ENTRY).mkdir()
    (item,) = drift(files).items
    assert (item.kind, item.actual) == ("file-edited", "a directory stands there")


def test_files_of_others_in_folders_that_are_ours_alone(files: Files) -> None:
    own_folder = files.at(DROP_IN).parent
    (own_folder / "99-mine.conf").write_text("[Service]\n")
    (files.at(LINE).parent / "other.conf").write_text("server 10.0.0.1;\n")
    (files.at(LINE).parent / f"{TEMPORARY}7-x.new").write_text("half of it")
    (files.at(ENTRY).parent / "site.conf").write_text("# not our folder\n")
    assert told(drift(files)) == [
        ("file-foreign", str(Path(LINE).parent / "other.conf")),
        ("file-foreign", str(Path(DROP_IN).parent / "99-mine.conf")),
    ]


def test_what_the_balancer_writes_is_no_edit(files: Files) -> None:
    files.write(ANSWER, answer_line("a" * 64).encode())
    save_holds(files, Holds(1, (Held("chat.0", "watch", "no token within 10 s", 0.0, 1),)))
    files.write(LINE, DOWN.encode())
    report = drift(files)
    assert told(report) == [("held", "chat.0")]
    assert report.items[0].actual == "out by watch: no token within 10 s"
    assert [(one.instance, one.by) for one in report.held] == [("chat.0", "watch")]
    (instance,) = status(files).instances
    assert (instance.balanced, instance.out) == (True, "watch: no token within 10 s")


def test_a_line_that_is_otherwise_than_the_holds_say(files: Files) -> None:
    files.write(LINE, DOWN.encode())
    (item,) = drift(files).items
    assert (item.kind, item.subject, item.expected) == ("balancer", "chat.0", "up in chat")
    assert item.actual == DOWN.strip()
    files.write(LINE, b"server 127.0.0.1:9;\n")
    assert told(drift(files)) == [("file-edited", LINE)], "nobody of ours wrote that"


def test_a_run_cut_short_is_told_once_and_is_no_edit(files: Files) -> None:
    files.write(DROP_IN, b"[Service]\nCPUAffinity=8\n")
    record = own(Artifact(DROP_IN, "[Service]\nCPUAffinity=8\n"))
    save_journal(files, Journal(1, "t4", 1, 4, (record,)))
    report = drift(files)
    assert report.interrupted is True
    assert [one.kind for one in report.items] == ["interrupted"]
    save_journal(files, Journal(1, "t3", 1, 3, (record,)))
    committed = drift(files)
    assert committed.interrupted is False, "the State carries its id: only tidying up is left"
    assert [one.kind for one in committed.items] == ["file-edited"]


def test_a_damaged_journal_is_a_run_cut_short(files: Files) -> None:
    files.write("/var/lib/provision/journal.json", b"{", 0o600)
    report = drift(files)
    assert report.interrupted is True
    assert [one.subject for one in report.unknown] == ["/var/lib/provision/journal.json"]


def test_a_damaged_state_is_said(files: Files) -> None:
    files.write("/var/lib/provision/state.json", b"{")
    with pytest.raises(ProvisionError, match=r"state\.json: not JSON"):
        drift(files)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_without_root_it_says_what_it_could_not_see(files: Files, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    files.at(ENV).write_text("KEY=other\n")
    files.at(ENV).chmod(0o640)
    save_journal(files, Journal(1, "t4", 1, 4))
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            report = drift(files)
            assert told(report) == [("file-mode", ENV)]
            assert {one.subject for one in report.unknown} >= {
                ENV,
                "/var/lib/provision/journal.json",
            }
            assert report.interrupted is None
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 -- a child never goes back into pytest
            print(f"child: {error!r}")
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
