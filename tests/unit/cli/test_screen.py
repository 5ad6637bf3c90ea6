"""Tables, wrapped sentences and steps."""

from __future__ import annotations

import io
import sys

import pytest

from provision.cli import streams
from provision.cli.complaint import printable
from provision.cli.progress import printer
from provision.cli.screen import Table, columns, gib, listed, paragraph
from provision.host.report import Step


def test_table_aligns_and_leaves_out_what_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(("instance", "GPUs", "port"))
    table.row("chat.0", "", "8000")
    table.row("much-longer.0", "", "11434")
    table.show()
    assert capsys.readouterr().out == (
        "  instance        port\n  chat.0          8000\n  much-longer.0   11434\n"
    )


def test_table_keeps_wide_letters_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(("model", "port"))
    table.row("模型", "1")
    table.row("abcd", "2")
    table.show(with_head=False)
    first, second = capsys.readouterr().out.splitlines()
    assert columns(first) == columns(second)
    assert columns("模型") == 4 and columns("e\u0301") == 1


def test_the_spare_column_goes_first(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(("a", "b", "c"), spare=1)
    table.row("x" * 40, "y" * 40, "z" * 40)
    table.show()
    out = capsys.readouterr().out
    assert "y" not in out and "z" * 40 in out


def test_paragraphs_are_wrapped_beside_their_subject(capsys: pytest.CaptureFixture[str]) -> None:
    paragraph("chat", "word " * 40, 9)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("  chat   word") and lines[1].startswith(" " * 9 + "word")
    assert max(map(len, lines)) <= 100
    paragraph("a-very-long-subject", "text", 9)
    assert capsys.readouterr().out == "  a-very-long-subject\n         text\n"


@pytest.mark.parametrize(
    ("mib", "text"),
    [(None, ""), (512, "512 MiB"), (1024, "1 GiB"), (1536, "1.5 GiB"), (24564, "24 GiB")],
)
def test_gib(mib: int | None, text: str) -> None:
    assert gib(mib) == text


def test_listed() -> None:
    assert [listed(["a"]), listed(["a", "b"]), listed("abc")] == ["a", "a and b", "a, b and c"]


def test_printable_escapes_what_a_terminal_acts_upon() -> None:
    assert printable("a\tb\nc é 模") == "a\tb\nc é 模"
    assert printable("\x1b[2J\x07\x9b1m\u202e\r") == "\\x1b[2J\\x07\\x9b1m\\u202e\\r"


def test_steps_stand_below_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    show = printer(("chat.0", "nginx"))
    show(Step("nginx", "reloaded"))
    show(Step("chat.0", "failed:\nlast line", ok=False))
    assert capsys.readouterr().err == ("  ✔ nginx   reloaded\n  ✘ chat.0  failed:\n")


def test_steps_in_a_locale_without_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    monkeypatch.setattr(sys, "stderr", stream)
    printer()(Step("chat.0", "started é"))
    stream.seek(0)
    assert stream.read() == "  ok chat.0  started \\xe9\n"


def test_a_terminal_that_went_away_does_not_end_a_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, f"Broken pipe, {len(text)} letters lost")

    monkeypatch.setattr(sys, "stderr", Gone())
    show = printer()
    show(Step("chat.0", "started"))
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    show(Step("chat.0", "started"))


def test_colour_needs_a_terminal_or_force(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    assert not streams.coloured(stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert streams.coloured(stream)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not streams.coloured(stream)
