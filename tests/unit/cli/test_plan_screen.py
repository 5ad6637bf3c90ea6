"""The plan's table, what is expected, moves; --explain for people and as a document."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from provision.cli.explain_screen import show_explained
from provision.cli.explained import document, explained
from provision.cli.figures_text import band_text, cores_text, expected_text, gib_text, vram_text
from provision.cli.plan_screen import show_plan
from provision.host.document import to_plain
from provision.host.errors import ProvisionError
from provision.host.quantity import CpuSet
from provision.plan.cost.speed import Band
from provision.plan.plan import Figures, Plan, Reason

from .sample_plan import CHAT, FAST, PLAN, SMALL

Capture = pytest.CaptureFixture[str]


def screen(capsys: Capture, plan: Plan) -> list[str]:
    show_plan(plan, None)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 100] == []
    return lines


def test_the_table_has_the_fullest_gpu(capsys: Capture) -> None:
    lines = screen(capsys, PLAN)
    assert lines[2].split()[-4:] == ["VRAM", "a", "GPU", "port"]
    row = next(line for line in lines if line.startswith("  chat.0 "))
    assert "20.4 of 21.6 GiB" in row and row.endswith("8000") and "tensor 2" in row
    assert "0 1" in row and "2-15,34-47" in row


def test_expected_goes_below_where_it_finds_no_room(capsys: Capture) -> None:
    lines = screen(capsys, PLAN)
    at = lines.index("Expected (estimates)")
    assert lines[at + 2].split("  ")[1] == "chat.0"
    assert "20-25 tok/s" in lines[at + 2] and "120-160 tok/s, 8 streams" in lines[at + 2]
    assert "8,192" in lines[at + 2] and "13,100 tokens" in lines[at + 2]
    assert lines[at + 3].startswith("  small.0-1 ")
    assert sum("estimate" in line for line in lines) == 1


def test_expected_is_a_column_where_there_is_room(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provision.cli.screen._WIDTH", 160)
    show_plan(PLAN, None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].endswith("port    expected (estimate)")
    assert lines[3].endswith("20-25 tok/s, batch 8: 120-160")
    assert lines[4].endswith("95-120 tok/s")
    assert sum("estimate" in line for line in lines) == 1


def test_nothing_is_expected_of_unknown_cards(capsys: Capture) -> None:
    assumed = {
        name: replace(one, speed=replace(one.speed or SMALL, assumed=True))
        for name, one in PLAN.figures.items()
    }
    assert not any("estimate" in one for one in screen(capsys, replace(PLAN, figures=assumed)))
    lines = screen(capsys, replace(PLAN, figures={}))
    assert not any("GiB" in one or "tok/s" in one for one in lines[:6])


def test_moves_and_what_stays(capsys: Capture) -> None:
    lines = screen(capsys, PLAN)
    assert any(line.startswith("  moves         chat.0: from GPUs 2 and 3 to") for line in lines)
    assert "  stays         small.0 small.1" in lines
    none = screen(capsys, replace(PLAN, kept={}, moved={}))
    assert not any(line.startswith(("  moves", "  stays")) for line in none)


def test_a_search_that_was_cut_short_is_told(capsys: Capture) -> None:
    assert any(line.startswith("  not-proven ") for line in screen(capsys, PLAN))
    assert not any("not-proven" in one for one in screen(capsys, replace(PLAN, proven=True)))


def test_reasons_of_one_subject_stand_together(capsys: Capture) -> None:
    again = replace(PLAN, reasons=(*PLAN.reasons, Reason("chat", "port 8001: 8000 is taken")))
    lines = screen(capsys, again)
    at = lines.index("Why")
    assert [line[:9].strip() for line in lines[at + 1 : at + 5]] == ["chat", "", "chat.0", "small"]
    assert lines[at + 2].strip() == "port 8001: 8000 is taken."


def test_long_names_are_cut_and_the_table_stays_whole(capsys: Capture) -> None:
    long = replace(
        CHAT,
        name="a-rather-long-name.12",
        models=("org/Some-Very-Long-Model-Name-Instruct-AWQ", "second"),
        gpus=tuple(replace(CHAT.gpus[0], index=at) for at in (0, 2, 4, 6, 8, 10)),
        pin=replace(CHAT.pin, nodes=(0, 1, 2, 3), cpus=CpuSet.parse("0-3,8-11,16-19,24-27,32-35")),
        pipeline_parallel_size=3,
    )
    figures = {long.name: PLAN.figures["chat.0"]}
    lines = screen(capsys, replace(PLAN, instances=(long,), figures=figures))
    row = next(line for line in lines if line.startswith("  a-rather-long-name.12 "))
    assert row.endswith("20.4 of 21.6 GiB  8000")


def test_explain_shows_the_whole_reasoning(capsys: Capture) -> None:
    show_explained(explained(PLAN, "chat"))
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert [line for line in lines if len(line) > 100] == []
    assert lines[0] == "chat (chat.0): vllm, placed for latency"
    assert "18.55   0.19   half of 80 layers" in out
    assert "of 21.60 GiB that it may take" in out
    table = lines[next(at for at, one in enumerate(lines) if one.startswith("Ways ")) :]
    assert [one.split()[-1] for one in table[2:6]] == ["impossible", "chosen", "lost", "lost"]
    assert "40.6 of 21.6" in table[2]
    assert "20-25" in table[3] and "120-160 of 8" in table[3]
    assert "tok" not in table[5] and table[5].split()[-2] == "-"  # of assumed cards
    for candidate in PLAN.explanations[0].candidates:
        for word in (*candidate.why.split(), *candidate.joint.split()):
            assert word in out, word
    assert "GPUs 0 and 1 are the pair with the most links next to one node." in out
    instances = lines[lines.index("Instances") :]
    assert instances[2].endswith("2-15,34-47  8000")
    assert any("memory preferred there." in one for one in instances)
    assert any("moves: from GPUs 2 and 3" in one for one in instances)


def test_explain_one_instance_alone() -> None:
    one = explained(PLAN, "small.1")
    assert [launch.name for launch in one.launches] == ["small.1"]
    assert [reason.subject for reason in one.reasons] == ["small"]
    assert one.kept == {"small.1": "runs on GPU 3 today"} and set(one.figures) == {"small.1"}


def test_explain_is_a_document_too() -> None:
    plain = json.loads(json.dumps(document(explained(PLAN, "chat"))))
    assert plain["version"] == 1 and plain["group"] == "chat"
    assert plain["candidates"] == to_plain(PLAN.explanations[0].candidates)
    assert plain["launches"][0]["port"] == 8000
    assert plain["figures"]["chat.0"]["kv_tokens"] == 13100
    assert [one["subject"] for one in plain["reasons"]] == ["chat", "chat.0"]


def test_explain_of_nobody_names_those_there_are() -> None:
    with pytest.raises(ProvisionError) as refused:
        explained(PLAN, "smal")
    (said,) = refused.value.diagnostics
    assert said.rule == "unknown-instance" and said.hint == "did you mean small?"
    assert said.message.endswith("there are chat, small, chat.0, small.0, small.1")


@pytest.mark.parametrize(
    ("band", "text"),
    [
        (Band(20.4, 25.2), "20-25"),
        (Band(1910.0, 2420.0), "1,900-2,400"),
        (Band(4.21, 6.08), "4.2-6.1"),
        (Band(0.42, 0.55), "0.42-0.55"),
        (Band(9.96, 10.4), "10"),
        (Band(0.0, 12.0), "0-12"),
    ],
)
def test_bands_have_two_digits(band: Band, text: str) -> None:
    assert band_text(band) == text


def test_texts_of_what_is_unknown_are_empty() -> None:
    assert expected_text(None) == expected_text(Figures()) == vram_text((), ()) == ""
    assert cores_text(None) == ""
    assert expected_text(Figures(speed=FAST)) == "20-25 tok/s, batch 8: 120-160"
    assert vram_text((100, 900), (1000, 1000)) == "0.9 of 1.0 GiB"
    assert gib_text(22630) == "22.1"


def test_long_lists_of_cores_are_counted() -> None:
    text = cores_text(CpuSet.parse("0-3,8-11,16-19,24-27,32-35,40-43"))
    assert text == "0-3,8-11,16-19,... (24)"
    assert cores_text(CpuSet.parse("2-15,34-47")) == "2-15,34-47"
