"""What a recording keeps beyond what today's inspection reads: what a later one will want."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from .recorder import Recorder

_SECONDS = 20.0
_MOST_BYTES = 64 << 20  # kept in all when this ends
_MOST_FILE = 1 << 20
_PROGRAM_SECONDS = 15.0

_WORDS = (
    ("nvidia-smi", "-q"),
    ("nvidia-smi", "topo", "-m"),
    ("nvidia-smi", "nvlink", "-s"),
    ("lspci", "-vvv", "-nn"),
)
_FILES = (
    *(
        f"/proc/{name}"
        for name in (
            "cmdline",
            "cpuinfo",
            "driver/nvidia/params",
            "driver/nvidia/version",
            "meminfo",
            "modules",
            "self/mounts",
            "swaps",
            "uptime",
            "version",
        )
    ),
    *(
        f"/sys/class/dmi/id/{name}"
        for name in ("bios_vendor", "bios_version", "board_name", "board_vendor", "chassis_type")
    ),
    "/etc/os-release",
)
# Folders whose small files are kept, as patterns of their parts. Not the whole of each cpu folder:
# cpuidle and the present frequency are thousands of files that move and tell nothing lasting.
_FOLDERS = (
    "/sys/devices/system/cpu",
    "/sys/devices/system/cpu/smt",
    "/sys/devices/system/cpu/vulnerabilities",
    "/sys/devices/system/cpu/cpu[0-9]+",
    "/sys/devices/system/cpu/cpu[0-9]+/topology",
    "/sys/devices/system/cpu/cpu[0-9]+/acpi_cppc",
    "/sys/devices/system/cpu/cpu[0-9]+/cache/index[0-9]+",
    "/sys/devices/system/node",
    "/sys/devices/system/node/node[0-9]+",
    "/sys/devices/system/node/node[0-9]+/hugepages/.*",
    "/sys/devices/system/node/node[0-9]+/access[0-9]+/initiators",
    "/sys/class/kfd/kfd/topology/nodes/[0-9]+",
    "/sys/class/kfd/kfd/topology/nodes/[0-9]+/(?:io_links|p2p_links|mem_banks)/[0-9]+",
    "/sys/bus/pci/slots/.*",
    "/proc/driver/nvidia/gpus/.*",
)
# Of devices only these: others act when they are read (rom), take long, or hold serial numbers.
_ATTRIBUTES = (
    (
        "/sys/bus/pci/devices/.*",
        (
            r"class|vendor|device|subsystem_\w+|revision|numa_node|local_cpu\w+"
            r"|(?:current|max)_link_\w+|config|resource|enable|boot_vga|ari_enabled"
            r"|sriov_(?:numvfs|totalvfs)|reset_method|mem_info_\w+|unique_id|vbios_version"
            r"|(?:current|available)_\w+_partition|product_name|driver|iommu_group|physfn"
            r"|power_state"
        ),
    ),
    ("/sys/bus/pci/devices/.*/hwmon/hwmon[0-9]+", r"name|power1_\w+|temp1_\w+"),
    ("/sys/class/drm/card[0-9]+", r"dev|device|uevent"),
    (
        "/sys/class/infiniband/.*",
        r"node_guid|node_type|fw_ver|hca_type|board_id|device",
    ),
    ("/sys/class/infiniband/.*/ports/[0-9]+", r"state|phys_state|rate|link_layer"),
    (
        "/sys/class/net/.*",
        r"address|mtu|speed|duplex|operstate|type|carrier|dev_port|device|master",
    ),
    (
        "/sys/devices/system/cpu/cpu[0-9]+/cpufreq",
        r"cpuinfo_m\w+_freq|base_frequency|scaling_(?:driver|governor)",
    ),
)


def keep_raw(recorder: Recorder, seconds: float = _SECONDS) -> None:
    """Ask for all of these, within a time and a size."""
    end = time.monotonic() + seconds
    for path in _wanted(recorder):
        if time.monotonic() > end:
            recorder.log.leave_out(f"raw files from {path} on: {seconds:g} s were over")
            break
        if recorder.log.bytes_kept > _MOST_BYTES:
            recorder.log.leave_out(f"raw files from {path} on: {_MOST_BYTES >> 20} MiB were full")
            break
        recorder.head(path, _MOST_FILE)
    for words in _WORDS:
        program = recorder.which(words[0])
        if program is not None and time.monotonic() < end:
            recorder.run([program, *words[1:]], _PROGRAM_SECONDS)


def _wanted(recorder: Recorder) -> Iterator[str]:
    yield from _FILES
    for pattern in _FOLDERS:
        yield from _matching(recorder, pattern, r".*")
    for pattern, names in _ATTRIBUTES:
        yield from _matching(recorder, pattern, names)


def _matching(recorder: Recorder, pattern: str, wanted: str) -> Iterator[str]:
    """The files of these names in the folders of a pattern, in order."""
    for folder in _folders(recorder, pattern):
        for name in recorder.names(folder):
            if re.fullmatch(wanted, name):
                yield f"{folder}/{name}"


def _folders(recorder: Recorder, pattern: str) -> Iterator[str]:
    """The folders that a pattern names, one regular expression a part."""
    folders = [""]
    for part in pattern.strip("/").split("/"):
        if re.fullmatch(r"[\w.-]+", part):
            folders = [f"{folder}/{part}" for folder in folders]
            continue
        folders = [
            f"{folder}/{name}"
            for folder in folders
            for name in recorder.names(folder)
            if re.fullmatch(part, name)
        ]
    yield from folders
