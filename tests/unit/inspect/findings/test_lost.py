"""GPUs that are lost, that a driver cannot use, or that our own record misses."""

from __future__ import annotations

from provision.host.facts import Driver, MigDevice, Placed, UnitNow, Xid

from .machines import Box, at, box, uuid

L40S = "NVIDIA L40S"


def _served(*missing: int, of: int = 2, **fields: object) -> Box:
    """GPUs on the bus, some of which the driver does not list."""
    machine = box(*[L40S] * of).device_with(*missing, **fields)
    gpus = tuple(gpu for gpu in machine.stable.gpus if gpu.index not in missing)
    return machine.stable_with(gpus=gpus, gpu_links=())


def test_a_gpu_off_the_bus_by_every_sign() -> None:
    xids = (Xid(at(1), 79, 1, "GPU has fallen off the bus.", 720),)
    for machine, sign in (
        (_served(1).volatile_with(xids=xids), "Xid 79 12 min ago"),
        (_served(1, answers=False), "its configuration space reads as all ones"),
        (_served(1).saw(complaints=(f"GPU 1 ({at(1)}): GPU is lost",)), "the driver calls it lost"),
        (_served(1).saw(complaints=("GPU 1 of NVML: GPU is lost",)), "the driver calls it lost"),
    ):
        finding = machine.one("gpu-lost")
        assert machine.told() == [("error", "gpu-lost")]
        assert f"a GPU is lost from the PCI bus (GPU {at(1)}: {sign})" in finding.evidence
        assert finding.subjects == (str(at(1)),)
    # It is served again: it was reset since, and the Xid alone is told.
    assert box(L40S, L40S).volatile_with(xids=xids).told() == [("error", "xid")]


def test_complaints_that_are_no_loss() -> None:
    machine = _served(1).saw(complaints=(f"GPU 1 ({at(1)}): Unknown Error",))
    assert machine.told() == [("error", "gpu-unusable")]
    assert machine.one("gpu-unusable").subjects == (str(at(1)),)
    amd = box().saw(complaints=("AMD GPU 0 (0000:03:00.0): KFD does not know it",))
    assert amd.told() == [("warning", "gpu-unusable")]
    assert not box(L40S).has("gpu-unusable")


def _placed(*gpus: str) -> Placed:
    return Placed("chat.0", "vllm", "vllm@chat.0.service", gpus=gpus, port=8000)


def test_a_gpu_that_the_last_state_knew() -> None:
    machine = box(L40S).volatile_with(placed=(_placed(uuid(0), uuid(7)),))
    finding = machine.one("gpu-missing")
    assert finding.severity == "error"
    assert finding.evidence == (
        f"instance chat.0 is placed on a GPU that is not there ({uuid(7)}); 1 GPU is there"
    )
    assert finding.consequence == "it does not start"
    assert finding.subjects == (uuid(7),)
    assert not box(L40S).volatile_with(placed=(_placed(uuid(0)),)).has("gpu-missing")
    slices = box(L40S).gpu_with(0, mig=True, mig_devices=(MigDevice("MIG-a"),))
    assert not slices.volatile_with(placed=(_placed("MIG-a"),)).has("gpu-missing")
    driver = Driver("nvidia", problem="the driver was not asked")
    unasked = box(L40S).stable_with(gpus=(), drivers=(driver,))
    assert not unasked.volatile_with(placed=(_placed(uuid(7)),)).has("gpu-missing")


def test_all_signs_of_one_lost_gpu_are_one_gpu() -> None:
    xids = (Xid(at(1), 79, 1, "GPU has fallen off the bus.", 1140), Xid(at(1), 154))
    machine = _served(1, answers=False).volatile_with(xids=xids)
    machine = machine.saw(complaints=("GPU 1 of NVML: GPU is lost",))
    assert machine.told() == [("error", "gpu-lost")]
    finding = machine.one("gpu-lost")
    assert finding.evidence == (
        f"a GPU is lost from the PCI bus (GPU {at(1)}: Xid 79 19 min ago, its configuration space"
        " reads as all ones, the driver calls it lost)"
    )
    assert finding.subjects == (str(at(1)),)


def test_a_nameless_complaint_is_of_the_card_that_shows_another_sign() -> None:
    """Another card may be without a driver for a reason of its own."""
    machine = _served(1, 2, of=3).volatile_with(xids=(Xid(at(2), 79, 1, None, 60),))
    machine = machine.saw(complaints=("GPU 2 of NVML: GPU is lost",))
    assert machine.told() == [("error", "gpu-lost"), ("warning", "gpu-not-served")]
    assert machine.one("gpu-lost").subjects == (str(at(2)),)
    assert machine.one("gpu-not-served").subjects == (str(at(1)),)


def test_a_complaint_that_may_be_of_several_cards_stays_nameless() -> None:
    machine = _served(1, 2, of=3).saw(complaints=("GPU 2 of NVML: GPU is lost",))
    finding = machine.one("gpu-lost")
    assert "a GPU is lost from the PCI bus (GPU 2 of NVML: GPU is lost)" in finding.evidence
    assert finding.subjects == ()
    both = machine.saw(complaints=("GPU 1 of NVML: GPU is lost", "GPU 2 of NVML: GPU is lost"))
    assert both.told() == [("error", "gpu-lost")]
    assert both.one("gpu-lost").evidence.startswith("2 GPUs are lost from the PCI bus")
    assert both.one("gpu-lost").subjects == (str(at(1)), str(at(2)))
    apart = machine.saw(complaints=("GPU 1 of NVML: Unknown Error", "GPU 2 of NVML: GPU is lost"))
    assert apart.one("gpu-lost").subjects == ()
    assert apart.one("gpu-unusable").subjects == ()


def test_a_card_that_cannot_be_opened_is_not_told_twice() -> None:
    machine = _served(1).saw(complaints=("GPU 1 of NVML: Unknown Error",))
    assert machine.told() == [("error", "gpu-unusable")]
    evidence = machine.one("gpu-unusable").evidence
    assert evidence == f"the NVIDIA driver says of GPU {at(1)}: Unknown Error"
    held = machine.device_with(1, driver="vfio-pci")
    assert "GPU 1 of NVML: Unknown Error" in held.one("gpu-unusable").evidence


def test_a_gpu_that_wants_a_reset() -> None:
    machine = box(L40S, L40S).saw(complaints=(f"GPU 1 ({at(1)}): GPU requires reset",))
    assert machine.told() == [("error", "gpu-unusable")]
    remedy = "stop what uses it, then nvidia-smi -i 0000:20:00.0 --gpu-reset"
    assert machine.one("gpu-unusable").remedy == remedy
    asked = machine.now_with(1, recovery_action="reset")
    assert asked.told() == [("error", "recovery-action")]
    assert asked.one("recovery-action").remedy == remedy


def test_the_instance_on_a_lost_gpu_is_told_with_it() -> None:
    unit = UnitNow("vllm@chat.0.service", "failed")
    machine = _served(1, answers=False)
    machine = machine.volatile_with(placed=(_placed(uuid(1)),), units=(unit,))
    assert machine.told() == [("error", "gpu-lost")]
    finding = machine.one("gpu-lost")
    assert finding.evidence.endswith(", and instance chat.0 is placed on a GPU that is gone")
    assert finding.subjects == (str(at(1)), uuid(1))
    two = machine.volatile_with(placed=(_placed(uuid(1), uuid(7)),))
    assert two.told() == [("error", "gpu-lost"), ("error", "gpu-missing")]  # one more than lost
