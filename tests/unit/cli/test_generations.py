"""history, rollback, diff --from, confirm and recover, into a scratch root."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from provision.cli.history import History, in_short
from provision.host.document import dumps, loads
from provision.host.errors import Exit
from provision.host.files import Files
from provision.host.report import ApplyResult
from provision.host.transaction.confirm import CONFIRMATION, Confirmation
from provision.host.transaction.journal import Journal, pre_images, save_journal
from provision.host.transaction.state import load_state

from .conftest import FACTS, PLANNED, SPEC, Call, as_nobody, shell

ENTRY = "etc/nginx/conf.d/provision.conf"
TMPFILES = "etc/tmpfiles.d/provision.conf"


@pytest.fixture
def root(call: Call, tmp_path: Path) -> Path:
    """Two generations: nginx on 8080, the checkpoint `first`, then on 8081."""
    root, spec = tmp_path / "root", tmp_path / "other.yaml"
    assert call("apply", *PLANNED, "--root", root, "--yes").code == 0
    spec.write_text(Path(SPEC).read_text().replace("8080", "8081"))
    other = (spec, "--facts", FACTS)
    assert call("apply", *other, "--root", root, "--yes", "--checkpoint", "first").code == 0
    return root


def test_history(call: Call, root: Path) -> None:
    said = call("history", "--root", root)
    assert said.code == 0
    shown = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-11-21 14:02", said.out)
    assert shown == (
        "  generation   applied            by      provision   checkpoint   instances\n"
        "  1            2026-11-21 14:02   apply   0.1.0       first        small x2, large "
        "(ollama 0.31.2)\n"
        "  2 now        2026-11-21 14:02   apply   0.1.0       -            small x2, large "
        "(ollama 0.31.2)\n"
    )
    text = call("history", "--root", root, "--json").out
    found = loads(History, text)
    assert [(one.number, one.now, one.checkpoint) for one in found.generations] == [
        (1, False, "first"),
        (2, True, None),
    ]
    assert found.generations[0].instances == ("small.0", "small.1", "large.0")
    assert found.generations[0].engines == ("ollama 0.31.2",)
    assert "OLLAMA" not in text, "contents of files are not told: some are secret"


def test_history_of_nothing(call: Call, tmp_path: Path) -> None:
    assert call("history", "--root", tmp_path) == (0, "Nothing was applied here.\n", "")
    assert call("history", "--root", tmp_path / "none").code == Exit.ERROR


def test_instances_in_short() -> None:
    assert in_short(["chat.0", "small.0", "small.1", "code-3.1.0"]) == "chat, small x2, code-3.1"


def test_diff_from_a_generation(call: Call, root: Path) -> None:
    for word in ("1", "first"):
        said = call("diff", "--from", word, "--root", root)
        assert said.code == Exit.DIFFERS
        assert f"--- /{ENTRY}\n+++ /{ENTRY}\n" in said.out
        assert "-    listen 127.0.0.1:8080;\n+    listen 127.0.0.1:8081;\n" in said.out
    assert call("diff", "--from", "2", "--root", root) == (0, "", "")
    assert call("diff", *PLANNED, "--from", "1", "--root", root) == (0, "", "")
    said = call("diff", *PLANNED, "--from", "2", "--root", root)
    assert "-    listen 127.0.0.1:8081;\n+    listen 127.0.0.1:8080;\n" in said.out


def test_diff_of_nothing_and_from_nowhere(call: Call, root: Path) -> None:
    said = call("diff", "--root", root)
    assert (said.code, said.out) == (Exit.USAGE, "")
    assert "hint: provision diff HOST.YAML, or provision diff --from GENERATION" in said.err
    said = call("diff", "--from", "9", "--root", root)
    assert (said.code, said.out) == (Exit.ERROR, "")
    assert "generation 9 is not kept here; there are: 1, 2" in said.err
    said = call("diff", "--from", "frist", "--root", root)
    assert said.code == Exit.ERROR
    assert "'frist' is neither a generation's number nor the name of a checkpoint" in said.err
    assert "hint: checkpoints here: first" in said.err


def test_diff_tells_what_no_apply_puts_right(call: Call, root: Path, tmp_path: Path) -> None:
    mine = root / "etc/systemd/system/ollama@small.0.service.d/99-mine.conf"
    mine.write_text("[Service]\nMemoryMax=1G\n")
    (root / TMPFILES).unlink()
    spec = (tmp_path / "other.yaml", "--facts", FACTS)
    said = call("diff", *spec, "--root", root)
    assert said.code == Exit.DIFFERS
    assert said.out.count(TMPFILES) == 1, "told among the changes, not again as drift"
    _, _, drift = said.out.partition("\nNot as applied\n")
    assert drift.startswith(
        "  file-foreign  /etc/systemd/system/ollama@small.0.service.d/99-mine.conf\n"
    )
    plain = json.loads(call("diff", *spec, "--root", root, "--json").out)
    assert [one["path"] for one in plain["files"]] == [f"/{TMPFILES}"]
    assert [one["kind"] for one in plain["drift"]] == ["file-foreign"]
    (root / TMPFILES).write_text("")
    assert call("apply", *spec, "--root", root, "--yes", "--overwrite").code == 0
    assert call("diff", *spec, "--root", root).code == Exit.DIFFERS
    mine.unlink()
    assert call("diff", *spec, "--root", root) == (0, "", "")


def test_rollback_without_a_number_goes_to_the_one_before(call: Call, root: Path) -> None:
    said = call("rollback", "--root", root, "--check")
    assert said.code == Exit.DIFFERS
    assert re.match(
        r"Back to generation 1 \(first\), applied [\d-]+ [\d:]+: small x2, large\n\n", said.out
    )
    assert f"  update  /{ENTRY}\n" in said.out
    assert "8081" in (root / ENTRY).read_text()
    said = call("rollback", "--root", root, "--yes")
    assert said.code == 0
    assert re.search(
        rf"\nRolled back in [\d.]+ s, as generation 3. Undo: provision rollback 2 --root {root}\n$",
        said.out,
    )
    assert "files" in said.err
    assert "8080" in (root / ENTRY).read_text()
    said = call("history", "--root", root)
    assert "  3 now" in said.out and "rollback to 1" in said.out


def test_rollback_to_a_checkpoint_a_number_and_where_it_stands(call: Call, root: Path) -> None:
    said = call("rollback", "2", "--root", root, "--check")
    assert said == (0, "Nothing to change: this is what stands here.\n", "")
    said = call("rollback", "first", "--root", root, "--yes", "--json")
    result = loads(ApplyResult, said.out)
    assert (said.code, result.changed, result.generation) == (0, True, 3)
    said = call("rollback", "9", "--root", root, "--yes")
    assert (said.code, said.out) == (Exit.ERROR, "")
    assert "generation 9 is not kept here; there are: 1, 2, 3" in said.err


def test_rollback_does_not_write_over_an_edited_file(call: Call, root: Path) -> None:
    (root / ENTRY).write_text("# mine\n")
    for words in (("--check",), ("--yes",)):
        said = call("rollback", "--root", root, *words)
        assert said.code == Exit.CONFLICT
        assert f"/{ENTRY} was edited by hand" in said.err
    assert (root / ENTRY).read_text() == "# mine\n"
    said = call("rollback", "--root", root, "--yes", "--overwrite")
    assert said.code == 0, said.err
    assert "8080" in (root / ENTRY).read_text()


def test_rollback_to_before_the_first_apply(call: Call, root: Path) -> None:
    said = call("rollback", "0", "--root", root, "--check")
    assert said.code == Exit.DIFFERS
    assert said.out.startswith("Back to before the first apply: all that provision brought is ")
    said = call("rollback", "0", "--root", root, "--yes")
    assert said.code == 0
    assert said.out.endswith(": nothing is applied any more.\n")
    assert not (root / ENTRY).exists()
    assert load_state(Files(root)) is None


def test_rollback_asks_somebody(root: Path) -> None:
    said = shell("rollback", "--root", root, given="y\n")
    assert (said.code, said.out) == (Exit.USAGE, "")
    assert "nobody can be asked" in said.err


def test_rollback_where_nothing_was_applied(call: Call, tmp_path: Path) -> None:
    said = call("rollback", "--root", tmp_path, "--yes")
    assert (said.code, said.out) == (Exit.ERROR, "")
    assert "nothing was applied" in said.err
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "run"])


def test_confirm(call: Call, root: Path) -> None:
    said = call("confirm", "--root", root)
    assert (said.code, said.out) == (Exit.ERROR, "")
    assert "no apply waits to be confirmed" in said.err
    state = load_state(Files(root))
    assert state is not None
    waits = Confirmation(
        version=1,
        transaction=state.transaction,
        generation=2,
        back_to=1,
        deadline=4_000_000_000,
        python=sys.executable,
    )
    Files(root).write(CONFIRMATION, dumps(waits).encode(), 0o600)
    assert "Generation 2 goes back to generation 1 in" in call("status", "--root", root).out
    assert call("confirm", "--root", root) == (0, "Confirmed: generation 2 stays.\n", "")
    assert "confirm" not in call("status", "--root", root).out


def test_recover(call: Call, root: Path) -> None:
    nothing = "Nothing to recover: no run was cut short.\n"
    assert call("recover", "--root", root) == (0, nothing, "")
    files, before = Files(root), (root / ENTRY).read_text()
    images = pre_images(files, [f"/{ENTRY}"])
    save_journal(files, Journal(1, "killed", 4711, 3, pre_images=images))
    (root / ENTRY).write_text("# half of the killed run\n")
    said = call("recover", "--root", root)
    assert (said.code, said.out) == (0, "Recovered: generation 2 stands.\n")
    assert (root / ENTRY).read_text() == before
    assert call("recover", "--root", root) == (0, nothing, "")


@pytest.mark.parametrize(
    "words",
    [("history",), ("rollback", "--yes"), ("confirm",), ("recover",), ("diff", "--from", "1")],
)
def test_what_needs_root_says_so(words: tuple[str, ...]) -> None:
    said = as_nobody(*words)
    assert (said.code, said.out) == (Exit.ERROR, "")
    assert "root is needed\n   hint: sudo provision" in said.err
