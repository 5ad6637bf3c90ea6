"""NVLink and XGMI: bandwidth of one link in one direction, in 10^9 bytes a second."""

from __future__ import annotations

from provision.host.facts import Gpu

from .entry import name_words

# Nominal, NVIDIA's data sheets: P100 4 x 20, V100 6 x 25, A100 12 x 25, H100 18 x 25, B200 18 x 50.
# Keys are NVML's NVML_NVLINK_VERSION_* numbers: 1_0, 2_0, 2_2, 3_0, 3_1, 4_0, 5_0.
_BY_VERSION = {1: 20.0, 2: 25.0, 3: 25.0, 4: 25.0, 5: 25.0, 6: 25.0, 7: 50.0}
_LATEST = 50.0
_USUAL = 25.0

# AMD's data sheets, one direction: MI50 to MI100 46, MI200 50, MI300 64, MI350 76.8.
_XGMI = (
    (("mi355x", "mi350x"), 76.8),
    (("mi300x", "mi300a", "mi325x", "mi308x"), 64.0),
    (("mi250x", "mi250", "mi210"), 50.0),
)
_XGMI_OLD = 46.0


def nvlink_gbs(gpu: Gpu) -> float:
    """Of one NVLink of this GPU; by its name where the driver does not tell the version."""
    words = set(name_words(gpu.name or ""))
    if slow_ga102_links(gpu):
        return 14.0625
    versions = [link.version for link in gpu.nvlinks if link.version and link.active is not False]
    if versions:
        return min(_BY_VERSION.get(version, _LATEST) for version in versions)
    if words & {"b100", "b200", "b300", "gb200", "gb300"}:
        return _LATEST
    return 20.0 if words & {"p100", "gp100"} else _USUAL


def slow_ga102_links(gpu: Gpu) -> bool:
    """NVLink 3 of the GA102 chip (RTX 3090, A6000, A40, ...) runs at 14.06 GB/s a link.

    Four of them give 56.25 GB/s one way (NVIDIA's Ampere GA102 whitepaper; 112.5 both ways on the
    RTX A6000's data sheet), while NVML counts them as version 3 like the A100's of 25 GB/s.
    """
    words = set(name_words(gpu.name or ""))
    return bool(words & {"3090", "a6000", "a5500", "a5000", "a4500", "a40", "a10"})


def xgmi_gbs(gpu: Gpu) -> float:
    """Of one XGMI link of this GPU."""
    words = set(name_words(gpu.name or ""))
    return next((gbs for names, gbs in _XGMI if words & set(names)), _XGMI_OLD)
