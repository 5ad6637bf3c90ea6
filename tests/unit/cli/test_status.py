"""provision status: what was applied, how it stands, what is not as applied."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.cli.drift_screen import show_items, show_runs, unconfirmed_text
from provision.cli.status import show_status
from provision.host.document import loads
from provision.host.errors import Exit
from provision.host.files import Files
from provision.host.proof.drift_report import (
    Drifted,
    DriftReport,
    HeldOut,
    Unconfirmed,
)
from provision.host.proof.status import Checkpoint, InstanceStatus, Status
from provision.host.transaction.journal import Journal, save_journal

from .conftest import PLANNED, Call

ENV = "etc/provision/instances/small.0.env"
Shown = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC, whatever it is here."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def applied(call: Call, tmp_path: Path) -> Path:
    root = tmp_path / "root"
    assert call("apply", *PLANNED, "--root", root, "--yes").code == 0
    return root


def test_a_host_as_it_was_applied(call: Call, applied: Path) -> None:
    said = call("status", "--root", applied)
    assert said.code == 0
    first = said.out.splitlines()[0]
    assert first.startswith("gpu-box-1: generation 1, ")
    assert " files of ours, applied 20" in first
    assert "Not as applied" not in said.out
    assert "small.0" in said.out


def test_what_is_not_as_applied(call: Call, applied: Path) -> None:
    (applied / "etc/tmpfiles.d/provision.conf").write_text("# mine\n")
    (applied / "etc/provision/gpu-settings.json").unlink()
    (applied / ENV).chmod(0o644)
    said = call("status", "--root", applied)
    assert said.code == Exit.NOT_AS_PLANNED
    _, _, drift = said.out.partition("\nNot as applied\n")
    assert drift == (
        "  file-edited   /etc/tmpfiles.d/provision.conf\n"
        "  file-missing  /etc/provision/gpu-settings.json\n"
        f"  file-mode     /{ENV}  0644, expected 0600\n"
        "\n"
        "  hint:  file-edited: put the change into host.yaml; provision apply --overwrite writes "
        "it anew\n"
        "  hint:  file-missing, file-mode: provision apply HOST.YAML puts it back\n"
    )
    found = loads(Status, call("status", "--root", applied, "--json").out)
    assert [one.kind for one in found.drift.items] == ["file-edited", "file-missing", "file-mode"]
    assert found.generation == 1


def test_a_run_that_was_cut_short(call: Call, applied: Path) -> None:
    save_journal(Files(applied), Journal(1, "another", 4711, 2))
    said = call("status", "--root", applied)
    assert said.code == Exit.NOT_AS_PLANNED
    assert said.out.endswith(
        "\nA run was cut short\n"
        "  provision recover takes it back; provision apply HOST.YAML goes on from there.\n"
    )
    assert json.loads(call("status", "--root", applied, "--json").out)["drift"]["interrupted"]


STANDING = Status(
    version=1,
    drift=DriftReport(
        1,
        "gpu-box-1",
        13,
        items=(
            Drifted(
                "cpus",
                "chat.0",
                "2-15",
                "0-63 (12 of 40 threads of 3 processes; first: pid 811 thread 812 on 0-63)",
                "systemctl restart vllm@chat.0.service, or provision apply HOST.YAML",
            ),
            Drifted("held", "small.1", "in the balancer", "out by watch: no token within 10 s"),
            Drifted(
                "unconfirmed",
                "generation 13",
                "confirmed",
                "goes back",
                "provision confirm keeps it",
            ),
        ),
        held=(HeldOut("small.1", "watch", "no token within 10 s", 252.0),),
    ),
    host="gpu-box-1",
    generation=13,
    tool="0.1.0",
    at=1_795_270_920,
    files=30,
    instances=(
        InstanceStatus("chat.0", "vllm@chat.0.service", "active", 8000, "current", True),
        InstanceStatus("small.0", "ollama@small.0.service", "active", 11434, "older", True),
        InstanceStatus(
            "small.1", "ollama@small.1.service", "active", 11435, "current", True, "watch: no token"
        ),
        InstanceStatus("lone.0", "ollama@lone.0.service", "failed", 11436),
    ),
    checkpoints=(Checkpoint("first", 1), Checkpoint("before-upgrade", 12)),
)


def test_the_whole_screen(capsys: Shown) -> None:
    show_status(STANDING)
    shown = capsys.readouterr().out
    assert shown == (
        "gpu-box-1: generation 13, 30 files of ours, applied 2026-11-21 14:22 by provision 0.1.0\n"
        "  checkpoints: first (1), before-upgrade (12)\n"
        "\n"
        "  instance   unit                     state    configuration   balancer   port\n"
        "  chat.0     vllm@chat.0.service      active   current         in         8000\n"
        "  small.0    ollama@small.0.service   active   older           in         11434\n"
        "  small.1    ollama@small.1.service   active   current         out        11435\n"
        "  lone.0     ollama@lone.0.service    failed   -               -          11436\n"
        "\n"
        "Not as applied\n"
        "  cpus  chat.0\n"
        "        0-63 (12 of 40 threads of 3 processes; first: pid 811 thread 812 on 0-63), "
        "expected 2-15\n"
        "  held  small.1  out by watch: no token within 10 s, for 4 min\n"
        "\n"
        "  hint:  cpus: systemctl restart vllm@chat.0.service, or provision apply HOST.YAML\n"
    )
    assert max(map(len, shown.splitlines())) <= 100


def test_what_only_awaits_its_confirmation_is_as_applied() -> None:
    only = Drifted("unconfirmed", "generation 13")
    assert DriftReport(1, items=(only,)).as_applied
    assert not DriftReport(1, items=(only, Drifted("held", "chat.0"))).as_applied


def test_a_generation_that_awaits_its_confirmation(capsys: Shown) -> None:
    deadline = int(time.time()) + 94
    show_runs(DriftReport(1, unconfirmed=Unconfirmed(13, 12, deadline)))
    shown = capsys.readouterr().out
    assert shown.startswith("\nNot confirmed yet\n  Generation 13 goes back to generation 12 in 9")
    one = Unconfirmed(1, 0, 1_000_000)
    assert unconfirmed_text(one, 999_906.0) == (
        "Generation 1 is taken away whole in 94 s unless `provision confirm` comes before."
    )
    assert unconfirmed_text(one, 1_000_060.0) == (
        "Generation 1 was to be confirmed until 1970-01-12 13:46 and has not been taken back yet: "
        "provision recover does it."
    )


def test_a_run_at_work_explains_the_rest(capsys: Shown) -> None:
    show_runs(DriftReport(1, at_work=4711))
    assert capsys.readouterr().out == (
        "\nA run is at work here now (pid 4711)\n"
        "  What it has not come to yet looks as if it were not as applied.\n"
    )


def test_nothing_of_a_terminal_gets_through(capsys: Shown) -> None:
    show_items([Drifted("file-foreign", "/etc/nginx/provision/\x1b[2Jx.conf")])
    assert "\x1b" not in capsys.readouterr().out


def test_status_while_another_run_holds_the_host(call: Call, applied: Path) -> None:
    """Its journal is no interruption, and looking never stands in its way."""
    from provision.host.transaction.lock import hold

    files = Files(applied)
    with hold(files):
        save_journal(files, Journal(1, "another", 4711, 2))
        said = call("status", "--root", applied)
    assert said.code == 0
    assert "\nA run is at work here now (pid " in said.out
    assert "cut short" not in said.out
