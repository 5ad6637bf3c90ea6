from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.host.bundle import Bundle, Expectation, Instance, InstanceRuntime
from provision.host.document import to_plain
from provision.host.facts import Placed
from provision.host.inspect.running.placed import STATE, parse_state, read_placed
from provision.host.quantity import CpuSet

from .tree import Machine

CHAT = Placed(
    "chat.0",
    "ollama",
    "ollama@chat.0.service",
    gpus=("GPU-1",),
    nodes=(0,),
    cpus=CpuSet.parse("0-3"),
    port=11434,
    ports=(11434,),
)
ASK = Placed("ask.0", "vllm", "vllm@ask.0.service")


def test_placements_by_instance(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file(STATE, json.dumps({"version": 1, "placements": to_plain([CHAT, ASK])}))
    record = read_placed(machine.tree)
    assert record.placed == (ASK, CHAT)
    assert record.problem is None


def test_placements_of_the_last_bundle() -> None:
    instance = Instance(
        "chat.0",
        "chat",
        "ollama",
        CHAT.unit,
        "0" * 64,
        InstanceRuntime(1, "chat.0"),
        Expectation("ollama"),
        CHAT,
    )
    bundle = Bundle(1, "host", "0.1", instances=(instance,))
    record = parse_state(json.dumps({"version": 1, "bundle": to_plain(bundle)}))
    assert record.placed == (CHAT,)
    assert record.problem is None


def test_a_host_where_nothing_was_applied(tmp_path: Path) -> None:
    record = read_placed(Machine(tmp_path).tree)
    assert (record.placed, record.problem) == ((), None)
    assert parse_state('{"version": 1}').problem is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no list of placements"),
        ('{"placements": 3}', "holds no list of placements"),
        ('{"bundle": {"instances": {}}}', "holds no list of placements"),
        ('{"placements": [{"instance": 3}]}', "is not understood"),
        ('{"placements": [null]}', "is not understood"),
        ('{"bundle": {"instances": [{}]}}', "is not understood"),
        ("[" * 100000, "is not JSON"),
    ],
)
def test_a_broken_record_is_said(text: str, why: str) -> None:
    record = parse_state(text)
    assert record.placed == ()
    finding = record.problem
    assert finding is not None
    assert finding.rule == "state-unreadable"
    assert finding.severity == "warning"
    assert why in finding.message
