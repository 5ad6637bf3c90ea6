"""Changes in a sentence and as a diff."""

from __future__ import annotations

import pytest

from provision.cli.changes_screen import diff_lines, summary
from provision.host.errors import Diagnostic
from provision.host.report import ChangeSet, FileChange, UnitChange

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
