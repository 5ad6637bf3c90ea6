from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.host.inspect.nvidia.answers import NvmlProcess
from provision.host.inspect.nvidia.smi.details import Details, parse_details
from provision.host.inspect.nvidia.smi.listing import Listed, Slice, parse_listing

MIB = 1 << 20

# R418 on a Volta: no MIG, one kind of limit, double bits, retired pages.
VOLTA = """
==============NVSMI LOG==============

Timestamp                           : Mon Mar  2 10:00:00 2020
Driver Version                      : 418.126.02
CUDA Version                        : 10.1

Attached GPUs                       : 2
GPU 00000000:5E:00.0
    Product Name                    : Tesla V100-PCIE-32GB
    Product Brand                   : Tesla
    Persistence Mode                : Enabled
    Serial Number                   : 0323419000001
    GPU UUID                        : GPU-5e5e5e5e-0000-1111-2222-333333333333
    Minor Number                    : 1
    VBIOS Version                   : 88.00.48.00.02
    PCI
        Bus                         : 0x5E
        Bus Id                      : 00000000:5E:00.0
        GPU Link Info
            PCIe Generation
                Max                 : 3
                Current             : 1
            Link Width
                Max                 : 16x
                Current             : 8x
    Fan Speed                       : N/A
    Performance State               : P0
    Clocks Throttle Reasons
        Idle                        : Not Active
        Applications Clocks Setting : Active
        SW Power Cap                : Not Active
        HW Slowdown                 : Active
            HW Thermal Slowdown     : Active
            HW Power Brake Slowdown : Not Active
        Sync Boost                  : Not Active
        SW Thermal Slowdown         : Not Active
        Display Clock Setting       : Not Active
    FB Memory Usage
        Total                       : 32480 MiB
        Used                        : 1000 MiB
        Free                        : 31480 MiB
    BAR1 Memory Usage
        Total                       : 32768 MiB
        Used                        : 4 MiB
    Compute Mode                    : Exclusive_Process
    Utilization
        Gpu                         : 37 %
        Memory                      : 11 %
    Ecc Mode
        Current                     : Enabled
        Pending                     : Disabled
    ECC Errors
        Volatile
            Single Bit
                Device Memory       : 7
                Total               : 7
            Double Bit
                Device Memory       : 1
                Register File       : 0
                Texture Memory      : N/A
                Total               : 1
        Aggregate
            Single Bit
                Total               : 9
            Double Bit
                Device Memory       : 2
                Register File       : 3
                Total               : N/A
    Retired Pages
        Single Bit ECC              : 0
        Double Bit ECC              : 1
        Pending                     : Yes
    Temperature
        GPU Current Temp            : 41 C
        GPU Shutdown Temp           : 90 C
    Power Readings
        Power Management            : Supported
        Power Draw                  : 36.27 W
        Power Limit                 : 200.00 W
        Default Power Limit         : 250.00 W
        Enforced Power Limit        : 180.50 W
        Min Power Limit             : 100.00 W
        Max Power Limit             : 250.00 W
    Clocks
        Graphics                    : 1230 MHz
        SM                          : 1231 MHz
        Memory                      : 877 MHz
    Max Clocks
        Graphics                    : 1380 MHz
        SM                          : 1381 MHz
    Processes
        Process ID                  : 4242
            Type                    : C
            Name                    : python : with a colon
            Used GPU Memory         : 900 MiB
        Process ID                  : 17
            Type                    : G
            Name                    : /usr/lib/xorg/Xorg
            Used GPU Memory         : N/A

GPU 00000000:AF:00.0
    Product Name                    : Tesla V100-PCIE-32GB
    GPU UUID                        : GPU-afafafaf-0000-1111-2222-333333333333
    Processes                       : None
"""

# R590 on a Hopper in MIG mode, one GPU of two.
HOPPER = """
==============NVSMI LOG==============

Timestamp                                              : Mon Mar  2 10:00:00 2026
Driver Version                                         : 590.11
CUDA Version                                           : 13.1

Attached GPUs                                          : 2
GPU 0000000A:1B:00.0
    Product Name                                       : NVIDIA H200
    Display Mode                                       : Requested functionality has been deprecated
    Persistence Mode                                   : Disabled
    Addressing Mode                                    : None
    MIG Mode
        Current                                        : Enabled
        Pending                                        : Disabled
    MIG Device
        Index                                          : 0
        GPU Instance ID                                : 2
        Compute Instance ID                            : 0
        Device Attributes
            Shared
                Multiprocessor count                   : 60
        ECC Errors
            Volatile
                SRAM Uncorrectable                     : 5
        Shared FB Memory Usage
            Total                                      : 71424 MiB
            Used                                       : 100 MiB
    MIG Device
        Index                                          : 1
        GPU Instance ID                                : 13
        Compute Instance ID                            : 0
        Shared FB Memory Usage
            Total                                      : 17920 MiB
    Serial Number                                      : N/A
    GPU UUID                                           : GPU-1b1b1b1b-aaaa-bbbb-cccc-dddddddddddd
    Minor Number                                       : N/A
    VBIOS Version                                      : 96.00.BC.00.01
    GPU Recovery Action                                : Drain and Reset
    PCI
        Bus Id                                         : 0000000A:1B:00.0
        GPU Link Info
            PCIe Generation
                Max                                    : 4
                Current                                : 4
                Device Current                         : 4
                Device Max                             : 5
                Host Max                               : N/A
            Link Width
                Max                                    : x16
                Current                                : x16
    Clocks Event Reasons
        Idle                                           : Active
        SW Power Cap                                   : Active
        HW Slowdown                                    : N/A
    FB Memory Usage
        Total                                          : 143771 MiB
        Reserved                                       : 604 MiB
        Used                                           : 117 MiB
        Free                                           : 143052 MiB
    Compute Mode                                       : Prohibited
    Utilization
        GPU                                            : N/A
    ECC Mode
        Current                                        : Enabled
        Pending                                        : Enabled
    ECC Errors
        Volatile
            SRAM Correctable                           : 90
            SRAM Uncorrectable Parity                  : 1
            SRAM Uncorrectable SEC-DED                 : 2
            DRAM Correctable                           : 80
            DRAM Uncorrectable                         : 4
        Aggregate
            SRAM Correctable                           : 0
            SRAM Uncorrectable Parity                  : 8
            SRAM Uncorrectable SEC-DED                 : N/A
            DRAM Uncorrectable                         : 16
            SRAM Threshold Exceeded                    : No
        Aggregate Uncorrectable SRAM Sources
            SRAM L2                                    : 32
    Retired Pages
        Pending Page Blacklist                         : N/A
    Remapped Rows
        Correctable Error                              : 3
        Inactive Correctable Error                     : 1
        Uncorrectable Error                            : 2
        Pending                                        : Yes
        Remapping Failure Occurred                     : No
        Bank Remap Availability Histogram
            Max                                        : 2559 bank(s)
            None                                       : 0 bank(s)
    Temperature
        GPU Current Temp                               : 33 C
        GPU T.Limit Temp                               : -2 C
    GPU Power Readings
        Average Power Draw                             : 88.25 W
        Instantaneous Power Draw                       : 91.00 W
        Current Power Limit                            : 650.00 W
        Requested Power Limit                          : 700.00 W
        Default Power Limit                            : 700.00 W
        Min Power Limit                                : 200.00 W
        Max Power Limit                                : 700.00 W
    GPU Memory Power Readings
        Average Power Draw                             : 43.98 W
    Module Power Readings
        Current Power Limit                            : 999.00 W
    Clocks
        SM                                             : 345 MHz
        Memory                                         : 3201 MHz
    Applications Clocks
        Memory                                         : Requested functionality has been deprecated
    Max Clocks
        SM                                             : 1980 MHz
    Fabric
        State                                          : In Progress
        Status                                         : N/A
    Processes
        GPU instance ID                                : 13
        Compute instance ID                            : 0
        Process ID                                     : 99
            Type                                       : C
            Name                                       : vllm
            Used GPU Memory                            : 16000 MiB
        GPU instance ID                                : 2
        Compute instance ID                            : 0
        Process ID                                     : 98
            Type                                       : M+C
            Used GPU Memory                            : 10 MiB

GPU 0000000A:C1:00.0
    Product Name                                       : NVIDIA H200
    GPU UUID                                           : GPU is lost
    PCI
        Bus Id                                         : 0000000A:C1:00.0
"""
LIST = """\
GPU 0: NVIDIA H200 (UUID: GPU-1b1b1b1b-aaaa-bbbb-cccc-dddddddddddd)
  MIG 3g.71gb     Device  0: (UUID: MIG-11111111-aaaa-bbbb-cccc-dddddddddddd)
  MIG 1c.1g.18gb+me Device  1: (UUID: MIG-GPU-1b1b1b1b-aaaa-bbbb-cccc-dddddddddddd/13/0)
GPU 1: NVIDIA H200 (UUID: GPU-00000000-aaaa-bbbb-cccc-dddddddddddd)
"""


def test_volta_on_an_old_driver() -> None:
    details = parse_details(VOLTA)
    assert (details.version, details.cuda, details.lost) == ("418.126.02", "10.1", ())
    gpu, other = details.gpus
    assert (gpu.index, other.index) == (0, 1)
    assert (gpu.uuid, gpu.bus) == ("GPU-5e5e5e5e-0000-1111-2222-333333333333", "00000000:5E:00.0")
    assert (gpu.name, gpu.serial, gpu.minor) == ("Tesla V100-PCIE-32GB", "0323419000001", 1)
    assert (gpu.vbios, gpu.persistence, gpu.compute_mode) == ("88.00.48.00.02", True, 3)
    assert (gpu.memory_bytes, gpu.used_bytes) == (32480 * MIB, 1000 * MIB)
    assert gpu.reserved_bytes is None
    assert (gpu.power_limit, gpu.power_enforced, gpu.power_draw) == (200000, 180500, 36270)
    assert (gpu.power_min, gpu.power_max, gpu.power_default) == (100000, 250000, 250000)
    assert (gpu.temperature, gpu.utilization) == (41, 37)
    assert (gpu.clock_sm, gpu.clock_sm_max, gpu.clock_memory) == (1231, 1381, 877)
    assert gpu.throttle == 0x2 | 0x8 | 0x40
    assert (gpu.pcie_generation, gpu.pcie_generation_max, gpu.pcie_generation_card) == (1, 3, None)
    assert (gpu.pcie_width, gpu.pcie_width_max) == (8, 16)
    assert (gpu.ecc, gpu.ecc_pending) == (True, False)
    assert (gpu.ecc_uncorrected, gpu.ecc_uncorrected_total) == (1, 5)
    assert (gpu.remapping_pending, gpu.remapping_failed) == (True, None)
    assert (gpu.mig, gpu.mig_devices, gpu.addressing_mode) == (None, (), None)
    assert gpu.processes == (NvmlProcess(17), NvmlProcess(4242, 900 * MIB))
    assert other.processes == ()
    assert other.memory_bytes is other.power_limit is other.throttle is other.ecc is None


def test_hopper_with_mig() -> None:
    listed = parse_listing(LIST)
    details = parse_details(HOPPER, {one.uuid: one.slices for one in listed})
    assert (details.version, details.cuda) == ("590.11", "13.1")
    assert details.lost == ("GPU 1 (000a:c1:00.0): GPU is lost",)
    (gpu,) = details.gpus
    assert (gpu.serial, gpu.minor, gpu.utilization) == (None, None, None)
    assert (gpu.addressing_mode, gpu.recovery_action, gpu.compute_mode) == ("None", 4, 2)
    assert (gpu.memory_bytes, gpu.reserved_bytes) == (143771 * MIB, 604 * MIB)
    assert (gpu.power_limit, gpu.power_enforced, gpu.power_draw) == (700000, 650000, 88250)
    assert gpu.throttle == 0x1 | 0x4
    assert (gpu.pcie_generation_max, gpu.pcie_generation_card, gpu.pcie_width) == (4, 5, 16)
    assert (gpu.ecc_uncorrected, gpu.ecc_uncorrected_total) == (7, 24)
    assert (gpu.remapped_correctable, gpu.remapped_uncorrectable) == (3, 2)
    assert (gpu.remapping_pending, gpu.remapping_failed) == (True, False)
    assert (gpu.fabric_state, gpu.fabric_status) == (2, None)
    assert (gpu.mig, gpu.mig_pending) == (True, False)
    big, small = gpu.mig_devices
    assert (big.uuid, big.name) == (
        "MIG-11111111-aaaa-bbbb-cccc-dddddddddddd",
        "NVIDIA H200 MIG 3g.71gb",
    )
    assert (big.gpu_instance, big.compute_instance, big.memory_bytes) == (2, 0, 71424 * MIB)
    assert small.uuid == "MIG-GPU-1b1b1b1b-aaaa-bbbb-cccc-dddddddddddd/13/0"
    assert gpu.processes == (
        NvmlProcess(98, 10 * MIB, big.uuid),
        NvmlProcess(99, 16000 * MIB, small.uuid),
    )


def test_mig_devices_without_uuids_are_left_out() -> None:
    (gpu,) = parse_details(HOPPER).gpus
    assert (gpu.mig, gpu.mig_devices) == (True, ())
    assert {one.mig_uuid for one in gpu.processes} == {None}


def test_a_text_pasted_with_an_indent_and_the_words_of_r610() -> None:
    text = HOPPER.replace("Driver Version ", "KMD Version    ").replace("CUDA Ver", "CUDA UMD Ver")
    pasted = "\r\n".join(f"      {line}" for line in text.splitlines())
    assert parse_details(pasted) == parse_details(HOPPER)


@pytest.mark.parametrize(
    "word",
    [
        "N/A",
        "[N/A]",
        "Not Supported",
        "Unknown Error",
        "ERR!",
        "Requested functionality has been deprecated",
        "Insufficient Permissions",
        "Function Not Found",
        "9" * 5000 + " W",
        "-1 W",
        "nan W",
        "",
    ],
)
def test_what_is_not_told_is_none(word: str) -> None:
    """No answer in whatever words, and no number that is none, never becomes a value."""
    lines = (
        line if "UUID" in line or " : " not in line else f"{line.partition(' : ')[0]} : {word}"
        for line in VOLTA.splitlines()
    )
    gpu = parse_details("\n".join(lines)).gpus[0]
    told = {
        name: value
        for name in gpu.__slots__
        if (value := getattr(gpu, name)) not in (None, ())
        and name not in ("name", "serial", "vbios")
    }
    assert told == {
        "index": 0,
        "uuid": "GPU-5e5e5e5e-0000-1111-2222-333333333333",
        "bus": "00000000:5E:00.0",
    }


@pytest.mark.parametrize(
    "text", ["", "No devices were found\n", "GPU 00000000:01:00.0\n", "\0 : \0"]
)
def test_no_details(text: str) -> None:
    assert parse_details(text) == Details()


def test_listing() -> None:
    assert parse_listing(LIST) == (
        Listed(
            0,
            "NVIDIA H200",
            "GPU-1b1b1b1b-aaaa-bbbb-cccc-dddddddddddd",
            (
                Slice(0, "3g.71gb", "MIG-11111111-aaaa-bbbb-cccc-dddddddddddd"),
                Slice(1, "1c.1g.18gb+me", "MIG-GPU-1b1b1b1b-aaaa-bbbb-cccc-dddddddddddd/13/0"),
            ),
        ),
        Listed(1, "NVIDIA H200", "GPU-00000000-aaaa-bbbb-cccc-dddddddddddd"),
    )
    assert parse_listing("  MIG 1g Device 0: (UUID: MIG-1)\n") == ()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_ends_in_a_traceback(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([VOLTA, HOPPER]))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    cut = text[:start] + data.draw(st.text(max_size=30)) + text[end:]
    assert all(gpu.bus for gpu in parse_details(cut).gpus)
    parse_listing(cut)
