"""The judgements of verify, each both ways."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from provision.host.bundle import Expectation
from provision.host.errors import ProvisionError
from provision.host.files import Files
from provision.host.proof.gpus import used
from provision.host.proof.live import MemoryMap
from provision.host.proof.processes import (
    cpus,
    cpuset,
    environment,
    memory,
    memory_policy,
    processes,
)
from provision.host.proof.verify import verify
from provision.host.quantity import CpuSet

from .bundles import bundle, instance, quiet

PLANNED = CpuSet.parse("2-3")
BOUND = Expectation("x", PLANNED, "bind", (1,))
PREFERRED = Expectation("x", PLANNED, "preferred", (1,))


def test_one_thread_astray_is_named() -> None:
    good = {10: {10: PLANNED, 11: CpuSet.of([2])}, 20: {20: PLANNED}}
    assert cpus("chat.0", PLANNED, good).ok is True
    bad = {**good, 20: {20: PLANNED, 21: CpuSet.parse("0-3")}}
    check = cpus("chat.0", PLANNED, bad)
    assert check.ok is False
    assert "pid 20 thread 21 on 0-3" in check.detail
    assert cpus("chat.0", PLANNED, {}).ok is None


def test_an_ignored_cpuset_is_reported_as_such() -> None:
    check = cpuset("chat.0", PLANNED, None)
    assert check.ok is False and "silently ignored" in check.detail
    assert cpuset("chat.0", PLANNED, PLANNED).ok is True
    assert cpuset("chat.0", PLANNED, CpuSet.parse("0-3")).ok is False


def test_memory_policy_of_every_process() -> None:
    right = MemoryMap({"bind:1": 90, "default": 3}, {})
    wrong = MemoryMap({"default": 90}, {})
    assert memory_policy("chat.0", BOUND, {7: right, 8: right}).ok is True
    check = memory_policy("chat.0", BOUND, {7: right, 8: wrong})
    assert check.ok is False and "pid 8 differs" in check.detail
    assert memory_policy("chat.0", BOUND, {}).ok is None
    assert memory_policy("chat.0", PREFERRED, {7: MemoryMap({"prefer:1": 2}, {})}).ok is True
    assert memory_policy("chat.0", PREFERRED, {7: MemoryMap({"prefer:0": 2}, {})}).ok is False


def test_memory_by_node_and_what_the_policy_promises() -> None:
    here, astray = MemoryMap({}, {1: 95.0, 0: 5.0}), MemoryMap({}, {1: 50.0, 0: 50.0})
    assert memory("chat.0", BOUND, {7: here}).actual == "95.0 % of 100 MiB"
    assert memory("chat.0", BOUND, {7: here}).ok is True
    assert memory("chat.0", BOUND, {7: astray}).ok is False
    fallen_back = memory("chat.0", PREFERRED, {7: astray})
    assert fallen_back.ok is None and "warning" in fallen_back.detail
    assert memory("chat.0", BOUND, {7: MemoryMap({}, {})}).ok is None


def test_environment_names_what_differs() -> None:
    one = instance()
    one = dataclasses.replace(one, expectation=Expectation("x", environment={"A": "1", "B": "2"}))
    live = {"A": "1", "B": "2", "PROVISION_DIGEST": one.digest, "HOME": "/"}
    assert environment(one, live).ok is True
    check = environment(one, {"A": "1", "B": "3"})
    assert check.ok is False
    assert "B is 3, not 2" in check.actual and "PROVISION_DIGEST is missing" in check.actual
    assert environment(one, None).ok is None


def test_the_main_process_is_the_engines() -> None:
    one = instance()
    assert processes(one, 7, "/usr/local/bin/ollama serve", {7: {7: PLANNED}}).ok is True
    assert processes(one, 7, "/bin/sleep 9", {}).ok is False
    assert processes(one, 7, None, {}).ok is False


def test_gpus_by_process() -> None:
    assert used("chat.0", ("A", "B"), {"A": (7,), "B": (8,), "C": (99,)}, {7, 8}).ok is True
    astray = used("chat.0", ("A",), {"A": (7,), "C": (8,)}, {7, 8})
    assert astray.ok is False and "compute on C" in astray.detail
    idle = used("chat.0", ("A", "B"), {"A": (7,), "B": ()}, {7})
    assert idle.ok is None and "no process seen on B" in idle.detail
    assert used("chat.0", ("A",), {"A": None}, {7}).ok is None


def test_verify_needs_an_apply_and_a_running_machine(tmp_path: Path) -> None:
    from provision.host.transaction.apply import apply

    files = Files(tmp_path)
    with pytest.raises(ProvisionError, match="nothing was applied"):
        verify(files)
    apply(bundle(), files, quiet)
    with pytest.raises(ProvisionError, match="not the running machine"):
        verify(files)
