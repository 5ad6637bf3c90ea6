"""The main job into a scratch root: plan, diff, apply, again, drift, remove; every exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from provision.cli.difference import Difference
from provision.host.document import loads
from provision.host.errors import Exit
from provision.host.report import ApplyResult, ChangeSet

from .conftest import CHECKOUT, FACTS, PLANNED, SPEC, Call, shell

ENV = "etc/provision/instances/small.0.env"


def tree(root: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its inode and time of change."""
    return {
        str(path.relative_to(root)): (path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in root.rglob("*")
        if (path.is_symlink() or path.is_file()) and path.name != "provision.lock"
    }


@pytest.fixture
def applied(call: Call, tmp_path: Path) -> Path:
    """A scratch root that the article's host was applied to."""
    root = tmp_path / "root"
    said = call("apply", *PLANNED, "--root", root, "--yes")
    assert said.code == 0, said.err
    return root


def test_apply_says_what_it_does_and_how_to_undo_it(call: Call, tmp_path: Path) -> None:
    root = tmp_path / "new/root"
    said = call("apply", *PLANNED, "--root", root, "--yes")
    assert said.code == 0
    assert said.out.startswith("gpu-box-1: 2 sockets, 2 NUMA nodes, 4x RTX 3090 24 GiB")
    assert "  create  /etc/systemd/system/ollama@.service\n" in said.out
    assert "Generation 1 applied in " in said.out
    assert said.out.endswith(f"Undo: provision remove --root {root}\n")
    assert "files" in said.err and "in place" in said.err
    assert (root / ENV).stat().st_mode & 0o777 == 0o600


def test_second_apply_touches_no_file(call: Call, applied: Path) -> None:
    before = tree(applied)
    said = call("apply", *PLANNED, "--root", applied, "--yes", "--json")
    result = loads(ApplyResult, said.out)
    assert (said.code, result.changed, result.changes) == (0, False, ChangeSet(1))
    assert said.err == ""
    assert tree(applied) == before


def test_diff_exit_code_says_whether_anything_differs(
    call: Call, applied: Path, tmp_path: Path
) -> None:
    assert call("diff", *PLANNED, "--root", applied) == (0, "", "")
    spec = tmp_path / "other.yaml"
    spec.write_text(Path(SPEC).read_text().replace("8080", "8081"))
    before = tree(applied)
    said = call("diff", spec, "--facts", FACTS, "--root", applied)
    assert said.code == Exit.DIFFERS
    path = "/etc/nginx/conf.d/provision.conf"
    assert f"--- {path}\n+++ {path}\n" in said.out
    assert "\n-    listen 127.0.0.1:8080;\n+    listen 127.0.0.1:8081;\n" in said.out
    said = call("diff", spec, "--facts", FACTS, "--root", applied, "--json")
    assert said.code == Exit.DIFFERS
    assert path in [one.path for one in loads(Difference, said.out).files]
    assert tree(applied) == before


def test_check_predicts_and_changes_nothing(call: Call, tmp_path: Path) -> None:
    root = tmp_path / "root"
    said = call("apply", *PLANNED, "--root", root, "--check", "--json")
    foreseen = loads(ApplyResult, said.out)
    assert (said.code, foreseen.exit_code) == (Exit.DIFFERS, Exit.DIFFERS)
    assert foreseen.changed and not root.exists()
    said = call("apply", *PLANNED, "--root", root, "--yes", "--json")
    assert loads(ApplyResult, said.out).changes == foreseen.changes
    said = call("apply", *PLANNED, "--root", root, "--check")
    assert said.code == 0
    assert said.out.endswith("Nothing to change: everything is as planned.\n")


def test_a_hand_edited_file_is_a_conflict_everywhere(call: Call, applied: Path) -> None:
    target = applied / "etc/tmpfiles.d/provision.conf"
    target.write_text(target.read_text() + "# mine\n")
    before = tree(applied)
    for words in (
        ("diff", *PLANNED),
        ("apply", *PLANNED, "--check"),
        ("apply", *PLANNED, "--yes"),
        ("apply", *PLANNED, "--yes", "--json"),
    ):
        said = call(*words, "--root", applied)
        assert said.code == Exit.CONFLICT, words
        assert "/etc/tmpfiles.d/provision.conf was edited by hand" in said.err, words
        assert "+# mine" in said.err
    assert tree(applied) == before


def test_remove_leaves_no_file(call: Call, applied: Path) -> None:
    said = call("remove", "--root", applied, "--check")
    assert said.code == Exit.DIFFERS
    ours = [path for path in tree(applied) if not path.startswith("var/lib/provision/")]
    assert f"{len(ours)} files to remove.\n" in said.out
    assert (applied / ENV).exists()
    said = call("remove", "--root", applied, "--yes")
    assert said.code == 0
    assert said.out.endswith("is as it was before the first apply; models stay.\n")
    assert tree(applied) == {}
    said = call("remove", "--root", applied, "--yes", "--json")
    assert (said.code, json.loads(said.out)["changed"]) == (0, False)
    assert call("status", "--root", applied).out == "Nothing was applied here.\n"


@pytest.mark.parametrize("words", [("remove", "--yes"), ("status",)])
def test_a_root_that_is_not_there(call: Call, tmp_path: Path, words: tuple[str, ...]) -> None:
    said = call(*words, "--root", tmp_path / "none")
    assert (said.code, said.out) == (Exit.ERROR, "")
    assert not (tmp_path / "none").exists()


def test_without_a_terminal_apply_and_remove_refuse_at_once(tmp_path: Path) -> None:
    for words in (("apply", "/none.yaml"), ("remove",)):
        said = shell(*words, "--root", tmp_path, given="y\n")
        assert (said.code, said.out) == (Exit.USAGE, "")
        assert "nobody can be asked" in said.err and "none.yaml" not in said.err


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", Exit.ERROR), ("\x03", 130)])
def test_the_question_on_a_terminal(tmp_path: Path, answer: str, code: int) -> None:
    """A real terminal; the question goes to stderr, so that stdout stays a document."""
    root = tmp_path / "root"
    control, terminal = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "provision", "apply", *PLANNED, "--root", str(root), "--json"],
        stdin=terminal,
        stderr=terminal,
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "TERM": "dumb"},
        preexec_fn=_own_terminal,
    )
    os.close(terminal)
    asked = _until(control, "[y/N]")
    assert re.search(r"\b\d\d files to create\. Go on\?", asked)
    assert not root.exists()
    os.write(control, f"{answer}\n".encode())
    out, _ = done.communicate(timeout=60)
    os.close(control)
    assert done.returncode == code
    if code == 0:
        assert loads(ApplyResult, out).changed
        assert (root / ENV).exists()
    else:
        assert out == ""
        assert not root.exists()


def _own_terminal() -> None:
    """Make stdin the controlling terminal, so that Ctrl-C arrives as a signal."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _until(control: int, text: str) -> str:
    said = ""
    while text not in said:
        said += os.read(control, 4096).decode()
    return said
