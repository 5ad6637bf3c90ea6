"""Changes in a sentence and as a diff."""

from __future__ import annotations

import pytest

from provision.cli.changes_screen import diff_lines, gap_lines, summary
from provision.cli.difference import difference_of, left_over, show_difference
from provision.cli.outcome import show_foreseen
from provision.host.errors import Diagnostic
from provision.host.proof.drift_report import Drifted, DriftReport
from provision.host.report import ChangeSet, FileChange, Gap, UnitChange

FILE = FileChange("/etc/a.conf", "create", None, "a\n", None, 0o644)


def units(*pairs: tuple[str, str]) -> tuple[UnitChange, ...]:
    return tuple(UnitChange(unit, action, "why") for unit, action in pairs)  # type: ignore[arg-type]  # table-driven words


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (ChangeSet(1), "nothing to change"),
        (ChangeSet(1, (FILE,)), "1 file to create"),
        (
            ChangeSet(
                1,
                (FILE, FILE, FileChange("/b", "update", "a", "b"), FileChange("/c", "remove", "a")),
            ),
            "2 files to create, 1 to update, 1 to remove",
        ),
        (
            ChangeSet(
                1,
                (FILE,),
                units(
                    ("systemd-tmpfiles", "apply"),
                    ("systemd", "daemon-reload"),
                    ("provision-gpu-settings.service", "restart"),
                    ("vllm@chat.0.service", "start"),
                    ("ollama@small.0.service", "start"),
                    ("nginx.service", "start"),
                ),
            ),
            "1 file to create, 2 instances and nginx to start, GPU settings to restart",
        ),
        (ChangeSet(1, (), units(("vllm@chat.0.service", "restart"))), "chat.0 to restart"),
        (ChangeSet(1, (), (), (Diagnostic("x", "y"),)), "1 conflict"),
    ],
)
def test_summary(changes: ChangeSet, text: str) -> None:
    assert summary(changes) == text


def test_a_created_file_is_shown_whole() -> None:
    assert list(diff_lines(FILE)) == ["--- /dev/null", "+++ /etc/a.conf", "@@ -0,0 +1 @@", "+a"]


def test_a_secret_is_shown_only_as_changed() -> None:
    change = FileChange("/etc/keys", "update", None, None, 0o644, 0o600, True)
    lines = list(diff_lines(change))
    assert lines == ["--- /etc/keys", "+++ /etc/keys", "# secret, changed, mode 0644 to 0600"]
    leaky = FileChange("/etc/keys", "create", None, "key-1", None, 0o600, True)
    assert "key-1" not in "\n".join(diff_lines(leaky))


def test_only_the_mode_or_the_last_newline_differs() -> None:
    mode = FileChange("/a", "update", None, None, 0o600, 0o644)
    assert list(diff_lines(mode))[2:] == ["# mode 0600 to 0644"]
    newline = FileChange("/a", "update", "x", "x\n")
    assert list(diff_lines(newline))[2:] == ["# only the newline at the end of the file differs"]


def test_a_link_and_a_binary_say_what_they_are() -> None:
    link = FileChange("/a", "create", None, None, None, None, False, "link to /b")
    assert list(diff_lines(link))[2:] == ["# link to /b"]
    gone = FileChange("/a", "remove", "x\n", None, 0o644)
    assert list(diff_lines(gone)) == ["--- /a", "+++ /dev/null", "@@ -1 +0,0 @@", "-x"]


GAPS = (
    Gap("/v1/", ("chat.0",), "its only replica is restarted: environment changed", 41.2),
    Gap("lone.0", ("lone.0",), "it is restarted: environment changed", 0.4),
    Gap("/small/", ("small.0", "small.1"), "small.0 leaves, small.1 does not run yet"),
)


def test_who_is_not_served_meanwhile_and_how_long() -> None:
    routed, alone, first = gap_lines(GAPS)
    assert routed == (
        "chat: nobody serves /v1/ for about 41 s (its last start), since its only replica is "
        "restarted: environment changed"
    )
    assert alone == (
        "lone.0: nobody is served for about 0.4 s (its last start), since it is restarted: "
        "environment changed"
    )
    assert first == (
        "small: nobody serves /small/ until the start is over (how long that takes is not known "
        "yet), since small.0 leaves, small.1 does not run yet"
    )
    assert gap_lines(()) == []


def test_gaps_stand_before_the_question(capsys: pytest.CaptureFixture[str]) -> None:
    restart = UnitChange("vllm@chat.0.service", "restart", "environment changed")
    show_foreseen(ChangeSet(1, (), (restart,), (), GAPS[:1]))
    assert capsys.readouterr().out == (
        "  restart   vllm@chat.0.service   environment changed\n"
        "\n"
        "  chat: nobody serves /v1/ for about 41 s (its last start), since its only replica is "
        "restarted:\n"
        "  environment changed\n"
        "\n"
        "chat.0 to restart.\n"
    )


def test_diff_shows_gaps_and_drift_under_their_headings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    restart = UnitChange("vllm@chat.0.service", "restart", "environment changed")
    held = Drifted("held", "small.1", "in the balancer", "out by watch: no token")
    show_difference(difference_of(ChangeSet(1, (), (restart,), (), GAPS[1:2]), [held]))
    assert capsys.readouterr().out == (
        "  restart   vllm@chat.0.service   environment changed\n"
        "\n"
        "Not served meanwhile\n"
        "  lone.0: nobody is served for about 0.4 s (its last start), since it is restarted: "
        "environment\n"
        "  changed\n"
        "\n"
        "Not as applied\n"
        "  held  small.1  out by watch: no token\n"
    )


def test_what_the_changes_tell_is_not_told_again() -> None:
    drifted = (
        Drifted("file-edited", "/etc/a.conf"),
        Drifted("older", "chat.0"),
        Drifted("older", "lone.0"),
        Drifted("nginx-older", "nginx"),
        Drifted("unit-overridden", "vllm@chat.0.service"),
    )
    acted = units(("vllm@chat.0.service", "restart"), ("nginx.service", "reload"))
    left = left_over(DriftReport(1, items=drifted), ChangeSet(1, (), acted))
    assert [(one.kind, one.subject) for one in left] == [
        ("older", "lone.0"),
        ("unit-overridden", "vllm@chat.0.service"),
    ]


def test_what_awaits_its_confirmation_is_no_difference() -> None:
    waits = Drifted("unconfirmed", "generation 2")
    assert difference_of(ChangeSet(1), [waits]).none
    assert not difference_of(ChangeSet(1), [waits, Drifted("held", "chat.0")]).none
