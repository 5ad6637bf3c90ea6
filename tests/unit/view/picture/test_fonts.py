"""Widths of texts, and how a text is cut and broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.view.picture.fonts import fit, plain, squeeze, text_width, wrap


def test_widths_are_those_of_the_font() -> None:
    # Advance widths of DejaVu Sans, of 2048 units an em: a 1255, W 2025, 0 1303, space 651.
    assert text_width("a", 2048) == pytest.approx(1255, abs=2.1)
    assert text_width("W", 2048) == pytest.approx(2025, abs=2.1)
    assert text_width("0 ", 2048) == pytest.approx(1303 + 651, abs=4.1)
    assert text_width("GPU 0", 10, bold=True) > text_width("GPU 0", 10)
    assert text_width("", 12) == 0


def test_what_the_table_does_not_know_is_taken_for_wide() -> None:
    assert text_width("服", 10) == 13
    assert text_width("é", 10) > text_width("e", 10)


def test_a_text_is_cut_with_a_sign_of_it() -> None:
    assert fit("NVIDIA H100", 200, 11) == "NVIDIA H100"
    assert fit("NVIDIA H100", 40, 11) == "NVID…"
    assert fit("NVIDIA H100", 3, 11) == ""


def test_a_name_keeps_the_end_that_tells_it_from_others() -> None:
    names = [squeeze(f"llama-70b-instruct.{number}", 90, 10.5) for number in range(3)]
    assert len(set(names)) == 3
    assert names[1].endswith("uct.1") and "…" in names[1]
    assert squeeze("chat.0", 90, 10.5) == "chat.0"


def test_lines_break_at_spaces_and_commas() -> None:
    name = "RTX PRO 6000 Blackwell Server Edition"
    assert wrap(name, 110, 10.5, 3) == ["RTX PRO 6000", "Blackwell Server", "Edition"]
    assert wrap(name, 110, 10.5, 2) == ["RTX PRO 6000", "Blackwell Server E…"]
    assert wrap("0-7,16-23,32-39", 60, 10.5) == ["0-7,16-23,", "32-39"]
    assert wrap("", 60, 10.5) == []


@given(st.text(max_size=60), st.floats(0, 300), st.booleans(), st.integers(1, 4))
def test_nothing_is_wider_than_its_room(text: str, room: float, bold: bool, most: int) -> None:
    assert text_width(fit(text, room, 11, bold), 11, bold) <= room + 1e-6
    assert text_width(squeeze(text, room, 11, bold), 11, bold) <= room + 1e-6
    lines = wrap(text, room, 11, most, bold)
    assert len(lines) <= most
    assert all(text_width(line, 11, bold) <= room + 1e-6 for line in lines)


@given(st.text(max_size=60))
def test_plain_text_is_fit_for_xml_and_no_wider(text: str) -> None:
    shown = plain(text)
    shown.encode()
    assert all(letter.isprintable() for letter in shown)
    assert text_width(shown, 11) <= text_width(text, 11) + 1e-6
