"""Kinds of GPUs for the NVML stand-in: what each model answers, and what it does not know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """What a kind of GPU answers. Power in watts: least, most, default; None: not supported."""

    name: str
    memory_mib: int | None  # None: it shares the host's memory
    capability: str
    pci_id: str
    power: tuple[int, int, int] | None
    serial: bool = False
    mig: bool = False  # it can be sliced; off unless mig_on
    mig_on: bool = False
    ecc: bool | None = None  # on or off; None: it has none
    remaps: bool = False  # bad rows are replaced (data centre cards from Ampere on)
    retires: bool = False  # bad pages are retired (before)
    pcie: tuple[int, int] = (4, 16)  # generation and lanes
    clocks: tuple[int, int] = (2100, 9501)  # greatest of the multiprocessors, memory: MHz
    link_slots: int = 0  # NVLinks that it has
    link_version: int = 0  # as NVML counts them: 2 V100, 4 Ampere, 6 Hopper, 7 Blackwell
    fabric: bool = False  # its NVLinks go to switches that a fabric manager sets up
    addressing: int | None = 1  # 0 None, 1 HMM, 2 ATS
    reserved_mib: int = 512


_AMPERE, _HOPPER, _BLACKWELL = 4, 6, 7

MODELS: dict[str, Model] = {
    "h100": Model(
        "NVIDIA H100 80GB HBM3",
        81559,
        "9.0",
        "0x233010de",
        (200, 700, 700),
        serial=True,
        mig=True,
        ecc=True,
        remaps=True,
        pcie=(5, 16),
        clocks=(1980, 2619),
        link_slots=18,
        link_version=_HOPPER,
        fabric=True,
    ),
    "h100-mig": Model(
        "NVIDIA H100 80GB HBM3",
        81559,
        "9.0",
        "0x233010de",
        (200, 700, 700),
        serial=True,
        mig=True,
        mig_on=True,
        ecc=True,
        remaps=True,
        pcie=(5, 16),
        clocks=(1980, 2619),
        link_slots=18,
        link_version=_HOPPER,
        fabric=True,
    ),
    "a100": Model(
        "NVIDIA A100-SXM4-80GB",
        81920,
        "8.0",
        "0x20b210de",
        (100, 400, 400),
        serial=True,
        mig=True,
        ecc=True,
        remaps=True,
        clocks=(1410, 1593),
        link_slots=12,
        link_version=_AMPERE,
    ),
    "l40s": Model(
        "NVIDIA L40S",
        46068,
        "8.9",
        "0x26b910de",
        (100, 350, 350),
        serial=True,
        ecc=True,
        remaps=True,
        clocks=(2520, 9001),
    ),
    "gh200": Model(
        "NVIDIA GH200 480GB",
        97871,
        "9.0",
        "0x234210de",
        (100, 900, 900),
        serial=True,
        mig=True,
        ecc=True,
        remaps=True,
        pcie=(5, 16),
        clocks=(1980, 2619),
        link_slots=18,
        link_version=_HOPPER,
        addressing=2,
    ),
    "gb200": Model(
        "NVIDIA GB200",
        189471,
        "10.0",
        "0x294110de",
        (200, 1200, 1200),
        serial=True,
        mig=True,
        ecc=True,
        remaps=True,
        pcie=(6, 16),
        clocks=(2062, 3996),
        link_slots=18,
        link_version=_BLACKWELL,
        fabric=True,
        addressing=2,
    ),
    "gb10": Model(
        "NVIDIA GB10",
        None,
        "12.1",
        "0x2e1210de",
        None,
        pcie=(1, 1),
        clocks=(3003, 0),
        addressing=2,
    ),
    "a6000": Model(
        "NVIDIA RTX A6000",
        49140,
        "8.6",
        "0x223010de",
        (100, 300, 300),
        serial=True,
        ecc=False,
        remaps=True,
        clocks=(2100, 8001),
        link_slots=4,
        link_version=_AMPERE,
    ),
    "rtx6000ada": Model(
        "NVIDIA RTX 6000 Ada Generation",
        49140,
        "8.9",
        "0x26b110de",
        (100, 300, 300),
        serial=True,
        ecc=False,
        remaps=True,
        clocks=(3105, 10001),
    ),
    "t4": Model(
        "Tesla T4",
        15360,
        "7.5",
        "0x1eb810de",
        (60, 70, 70),
        serial=True,
        ecc=True,
        retires=True,
        pcie=(3, 16),
        clocks=(1590, 5001),
    ),
    "3060": Model("NVIDIA GeForce RTX 3060", 12288, "8.6", "0x250310de", (100, 212, 170)),
    "3090": Model(
        "NVIDIA GeForce RTX 3090",
        24576,
        "8.6",
        "0x220410de",
        (100, 366, 350),
        link_slots=4,
        link_version=_AMPERE,
    ),
    "4090": Model(
        "NVIDIA GeForce RTX 4090",
        24564,
        "8.9",
        "0x268410de",
        (150, 600, 450),
        ecc=False,
        clocks=(3105, 10501),
    ),
    "5090": Model(
        "NVIDIA GeForce RTX 5090",
        32607,
        "12.0",
        "0x2b8510de",
        (400, 600, 575),
        pcie=(5, 16),
        clocks=(3090, 14001),
    ),
    "4090-laptop": Model(
        "NVIDIA GeForce RTX 4090 Laptop GPU", 16376, "8.9", "0x275710de", None, pcie=(4, 8)
    ),
}

# What driver 440 (2019, before MIG) does not have, for build(without=).
LACKING_IN_440 = (
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetGpuFabricInfo",
    "nvmlDeviceGetGpuFabricInfoV",
    "nvmlDeviceGetNumaNodeId",
    "nvmlDeviceGetAddressingMode",
    "nvmlDeviceGetGpuMaxPcieLinkGeneration",
    "nvmlDeviceGetTemperatureV",
    "nvmlDeviceGetNvLinkRemoteDeviceType",
    "nvmlDeviceGetComputeRunningProcesses_v2",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetGraphicsRunningProcesses_v2",
    "nvmlDeviceGetGraphicsRunningProcesses_v3",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetMaxMigDeviceCount",
    "nvmlDeviceGetMigDeviceHandleByIndex",
    "nvmlDeviceGetDeviceHandleFromMigDeviceHandle",
    "nvmlDeviceGetGpuInstanceId",
    "nvmlDeviceGetComputeInstanceId",
    "nvmlDeviceGetMemoryAffinity",
    "nvmlDeviceGetRemappedRows",
)
