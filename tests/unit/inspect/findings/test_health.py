"""Errors in the kernel's log, memory, recovery, and what slows a GPU down."""

from __future__ import annotations

import pytest

from provision.host.facts import Xid
from provision.host.inspect.nvidia.words import recovery_action

from .machines import at, box, uuid

L40S = "NVIDIA L40S"


@pytest.mark.parametrize(
    ("number", "seconds", "severity"),
    [
        (48, 60, "error"),
        (48, 90000, "warning"),
        (119, None, "error"),
        (74, 5, "error"),
        (94, 5, "warning"),
        (145, 5, "warning"),
        (63, 5, "note"),
    ],
)
def test_xid_tiers(number: int, seconds: int | None, severity: str) -> None:
    xids = (Xid(at(0), number, 2, None, seconds), Xid(at(1), number, 1, None, seconds))
    machine = box(L40S, L40S).now_with(0, 1, remapping_pending=None).volatile_with(xids=xids)
    assert machine.told() == [(severity, "xid")]
    evidence = machine.one("xid").evidence
    assert evidence.startswith(f"Xid {number} (")
    assert "on GPUs 0-1 (NVIDIA L40S), 3 times" in evidence


@pytest.mark.parametrize("number", [13, 31, 43, 45, 68, 154, 999])
def test_faults_of_applications_are_no_findings(number: int) -> None:
    assert box(L40S).volatile_with(xids=(Xid(at(0), number, 50, None, 1),)).told() == []


@pytest.mark.parametrize(
    ("fields", "severity", "rule", "words"),
    [
        ({"ecc_uncorrected": 1}, "warning", "ecc-errors", "1 uncorrectable memory error of GPU 0"),
        ({"ecc_uncorrected_total": 5}, "note", "ecc-errors", "in its life, none since"),
        ({"remapping_pending": True}, "warning", "row-remap-pending", "waits for a reset"),
        ({"remapping_failed": True}, "error", "row-remap-failed", "since no spare is left"),
        ({"recovery_action": "reset"}, "error", "recovery-action", "asks for a reset of GPU 0"),
    ],
)
def test_memory_and_recovery(
    fields: dict[str, object], severity: str, rule: str, words: str
) -> None:
    machine = box(L40S, L40S).now_with(0, **fields)
    assert machine.told() == [(severity, rule)]
    assert words in machine.one(rule).evidence
    assert machine.one(rule).subjects == (uuid(0),)


def test_unknown_health_is_no_bad_health() -> None:
    fields = dict.fromkeys(
        ("ecc_uncorrected", "remapping_pending", "remapping_failed", "throttle", "persistence")
    )
    assert box(L40S).now_with(0, recovery_action="none", **fields).told() == []


def test_ecc_off_counts_on_data_centre_cards() -> None:
    assert box(L40S).gpu_with(0, ecc=False).told() == [("note", "ecc-off")]
    pending = box(L40S).gpu_with(0, ecc=False, ecc_pending=True)
    assert pending.told() == [("warning", "reset-pending")]
    assert box("NVIDIA RTX A6000").gpu_with(0, ecc=False).told() == []
    assert box(L40S).gpu_with(0, ecc=None).told() == []


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (("hw-slowdown", "hw-thermal"), "by heat (hardware limit), at 91 degrees Celsius"),
        (("sw-thermal-slowdown",), "by heat (the driver's limit)"),
        (("sw-thermal", "hw-thermal"), "by heat (hardware limit), at 91"),
        (("hw-power-brake",), "by the power brake of supply or board"),
        (("hw-slowdown", "sw-power-cap"), "by the hardware, which tells no reason"),
    ],
)
def test_throttling(reasons: tuple[str, ...], words: str) -> None:
    machine = box(L40S, L40S).now_with(0, 1, throttle=reasons, temperature_c=91)
    assert machine.told() == [("warning", "throttling")]
    evidence = machine.one("throttling").evidence
    assert evidence.startswith("GPUs 0-1 (NVIDIA L40S) are slowed down now by ")
    assert words in evidence


def test_the_power_cap_is_normal_under_load() -> None:
    assert box(L40S).now_with(0, throttle=("sw-power-cap", "idle")).told() == []


def test_errors_of_several_cards_are_counted_together_and_apart() -> None:
    machine = box(L40S, L40S).now_with(0, ecc_uncorrected=3).now_with(1, ecc_uncorrected=2)
    assert machine.one("ecc-errors").evidence == (
        "5 uncorrectable memory errors of GPUs 0-1 (NVIDIA L40S) (GPU 0: 3, GPU 1: 2) since the"
        " driver was loaded"
    )


@pytest.mark.parametrize(
    ("number", "severity", "what", "remedy"),
    [
        (1, "error", "a reset of", "stop what uses it, then nvidia-smi -i 1 --gpu-reset"),
        (2, "error", "a reboot of", "reboot the machine"),
        (3, "warning", "an end of peer-to-peer traffic of", "nvidia-smi -i 1 -q tells"),
        (4, "warning", "no new work and a reset of", "start no new, then nvidia-smi -i 1 --gpu"),
        (5, "error", "a recovery of the IMEX domain of", "systemctl restart nvidia-imex"),
        (6, "error", "a reset of the PCIe bus of", "where that is refused, reboot"),
        (7, "error", "a reboot of", "reboot the machine"),
        (8, "error", "action-8 of", "nvidia-smi -i 1 -q names the action"),
    ],
)
def test_each_action_that_the_driver_asks_for(
    number: int, severity: str, what: str, remedy: str
) -> None:
    machine = box(L40S, L40S).now_with(1, recovery_action=recovery_action(number))
    assert machine.told() == [(severity, "recovery-action")]
    finding = machine.one("recovery-action")
    assert finding.evidence == f"the driver asks for {what} GPU 1 (NVIDIA L40S, {at(1)})"
    assert remedy in (finding.remedy or "")
    assert "{" not in (finding.remedy or "")
    assert box(L40S).now_with(0, recovery_action=recovery_action(0)).told() == []


def test_an_error_after_which_the_driver_asks_for_a_reset_is_told_with_it() -> None:
    xids = (Xid(at(0), 48, 1, None, 4000), Xid(at(0), 63, 1, None, 4000))
    machine = box(L40S, L40S).volatile_with(xids=xids)
    asked = machine.now_with(0, recovery_action="reset", remapping_pending=True)
    assert asked.told() == [("error", "recovery-action"), ("warning", "row-remap-pending")]
    assert asked.one("recovery-action").evidence.endswith(
        " after Xid 48 (uncorrectable ECC error, 1 h ago)"
    )


def test_an_error_after_which_the_gpu_was_reset_is_over() -> None:
    machine = box(L40S, L40S).volatile_with(xids=(Xid(at(0), 48, 2, None, 4000),))
    over = machine.now_with(0, recovery_action="none")
    assert over.told() == [("warning", "xid")]
    assert "the driver asks for nothing more" in over.one("xid").consequence
    assert machine.told() == [("error", "xid")]  # an old driver does not tell


def test_a_row_that_was_retired_is_told_while_the_remapper_is_not_known() -> None:
    machine = box(L40S).volatile_with(xids=(Xid(at(0), 63, 1, None, 60),))
    assert machine.now_with(0, remapping_pending=None).told() == [("note", "xid")]
    assert machine.now_with(0, remapping_pending=False).told() == []  # it was reset since


def test_errors_of_an_nvswitch_are_none_of_a_gpu() -> None:
    """Their numbers are others, which only happen to be the same."""
    xids = (Xid(at(0), 79, switch=True), Xid(at(0), 48, switch=True))
    assert box(L40S).volatile_with(xids=xids).told() == []


def test_how_often_and_when() -> None:
    def told(*xids: Xid) -> str:
        return box(L40S).volatile_with(xids=xids).one("xid").evidence

    head = f"Xid 48 (uncorrectable ECC error) on GPU 0 (NVIDIA L40S, {at(0)}), "
    assert told(Xid(at(0), 48, 1, None, 300)) == f"{head}once, 5 min ago"
    assert told(Xid(at(0), 48, 4, None, 7300)) == f"{head}4 times, last 2 h ago"
    assert told(Xid(at(0), 48, 4)) == f"{head}4 times since boot"
