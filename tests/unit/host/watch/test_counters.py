"""Signs of work: an engine's counters, a unit's CPU time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from provision.host.watch.counters import (
    cpu_seconds,
    grew,
    parse_cpu_stat,
    parse_stat_ticks,
    sums,
    worked,
)

VLLM = """\
# HELP vllm:generation_tokens_total Number of generation tokens processed.
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="a b} 1"} 1234.0
vllm:generation_tokens_total{engine="1",model_name="m"} 1e3
vllm:generation_tokens_created{engine="0",model_name="m"} 1.7e+09
vllm:num_requests_running{engine="0",model_name="m"} 2.0
"""
LLAMA = """\
llamacpp:n_decode_total 17
llamacpp:prompt_tokens_total 8 1700000000000
llamacpp:requests_processing 0
llamacpp:predicted_tokens_seconds nan
"""


def test_samples_of_all_labels_are_added() -> None:
    names = ("vllm:generation_tokens_total", "vllm:num_requests_running", "missing")
    assert sums(VLLM, names) == {
        "vllm:generation_tokens_total": 2234.0,
        "vllm:num_requests_running": 2.0,
    }


def test_time_stamps_and_what_is_no_number() -> None:
    names = (
        "llamacpp:n_decode_total",
        "llamacpp:prompt_tokens_total",
        "llamacpp:predicted_tokens_seconds",
    )
    assert sums(LLAMA, names) == {
        "llamacpp:n_decode_total": 17.0,
        "llamacpp:prompt_tokens_total": 8.0,
    }
    assert sums("<html>busy</html>\nllamacpp:n_decode_total x\n", names) == {}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1.0}, {"a": 2.0}, True),
        ({"a": 1.0}, {"a": 1.0}, False),
        ({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.5}, True),
        ({"a": 9.0}, {"a": 1.0}, False),  # restarted
        ({}, {"a": 1.0}, False),  # nothing to compare with
        ({"a": 1.0}, {}, False),
    ],
)
def test_growth(before: dict[str, float], after: dict[str, float], expected: bool) -> None:
    assert grew(before, after) is expected


@pytest.mark.parametrize(
    ("before", "after", "seconds", "expected"),
    [
        (10.0, 19.0, 10.0, True),
        (10.0, 10.5, 10.0, True),
        (10.0, 10.4, 10.0, False),  # an idle server does that too
        (10.0, 10.0, 10.0, False),  # stopped
        (10.0, 4.0, 10.0, False),
        (None, 4.0, 10.0, False),
        (4.0, None, 10.0, False),
    ],
)
def test_work(before: float | None, after: float | None, seconds: float, expected: bool) -> None:
    assert worked(before, after, seconds) is expected


def test_cpu_time_of_a_unit(tmp_path: Path) -> None:
    assert parse_cpu_stat("usage_usec 2500000\nuser_usec 1\n") == 2.5
    assert parse_cpu_stat("nr_periods 0\n") is None
    unit = tmp_path / "system.slice/vllm@chat.0.service"
    unit.mkdir(parents=True)
    (unit / "cpu.stat").write_text("usage_usec 7000000\n")
    assert cpu_seconds("/system.slice/vllm@chat.0.service", tmp_path) == 7.0
    assert cpu_seconds("/system.slice/gone.service", tmp_path) is None
    assert cpu_seconds("", tmp_path) is None


def test_without_counting_it_is_that_of_the_processes(tmp_path: Path) -> None:
    """cgroup v1: this process stands for the unit's, and it has just used some."""
    unit = tmp_path / "systemd/system.slice/one.service"
    unit.mkdir(parents=True)
    (unit / "cgroup.procs").write_text(f"{os.getpid()}\n")
    before = cpu_seconds("/system.slice/one.service", tmp_path)
    ends = time.process_time() + 0.1
    while time.process_time() < ends:
        pass
    after = cpu_seconds("/system.slice/one.service", tmp_path)
    assert before is not None
    assert after is not None
    assert after - before >= 0.05


def test_a_name_with_brackets_and_blanks() -> None:
    stat = "12 (a) b) S " + " ".join(str(number) for number in range(4, 30))
    assert parse_stat_ticks(stat) == 14 + 15
    assert parse_stat_ticks("12 (gone") is None
