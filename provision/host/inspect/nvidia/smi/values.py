"""Values as nvidia-smi writes them: `350.00 W`, `16376 MiB`, `16x`, `[N/A]`, `Enabled`."""

from __future__ import annotations

import re

_NOTHING = {
    "",
    "err!",
    "n/a",
    "none found",
    "not active",
    "not applicable",
    "not available",
    "not found",
    "not supported",
    "insufficient permissions",
    "no permission",
    "timeout",
    "unknown",
    "unknown error",
    "function not found",
    "gpu is lost",
    "gpu requires reset",
    "gpu requires restart",
}
_NOTHING_STARTS = (
    "requested functionality",
    "not available in",
    "gpu access blocked",
    "gpu is lost",
    "error",
)
_LOST = ("gpu is lost", "gpu requires", "unknown error", "gpu access blocked")
_NUMBER = re.compile(r"(-?\d{1,12}(?:\.\d{1,6})?)\s*([A-Za-z]*)", re.ASCII)
_WHOLE = re.compile(r"x?(-?\d{1,15})\s*(?:x|C|%|MHz|bank\(s\))?", re.ASCII)
_BYTES = {"": 1 << 20, "MiB": 1 << 20, "MB": 1 << 20, "KiB": 1 << 10, "GiB": 1 << 30}
_ON = {"enabled", "yes", "active", "on", "1"}
_OFF = {"disabled", "no", "not active", "off", "0"}
_RECOVERY = {  # nvmlDeviceGpuRecoveryAction_t
    "none": 0,
    "reset": 1,
    "gpu reset": 1,
    "reboot": 2,
    "node reboot": 2,
    "drain p2p": 3,
    "drain and reset": 4,
    "recover imex domain": 5,
    "bus reset": 6,
    "system reboot": 7,
}
_COMPUTE = {"default": 0, "exclusive thread": 1, "prohibited": 2, "exclusive process": 3}
_FABRIC = {"not supported": 0, "not started": 1, "in progress": 2, "completed": 3}
_STATUS = {  # nvmlReturn_t in nvmlErrorString's words
    "success": 0,
    "not supported": 3,
    "insufficient resources": 23,
    "in use": 19,
    "timeout": 10,
    "gpu is lost": 15,
    "unknown error": 999,
}


def known(value: str | None) -> str | None:
    """The value, or None where nvidia-smi says in one of its many ways that it has none."""
    text = "" if value is None else value.strip().strip("[]").strip()
    low = text.lower()
    return None if low in _NOTHING or low.startswith(_NOTHING_STARTS) else text


def loss(value: str | None) -> str | None:
    """Why a GPU cannot be asked, where its value is no value but such a sentence."""
    text = "" if value is None else value.strip().strip("[]").strip()
    return text if text.lower().startswith(_LOST) else None


def milliwatts(value: str | None) -> int | None:
    """`350.00 W` or `350.00`."""
    match = _NUMBER.fullmatch((value or "").strip())
    if not match or match[2] not in ("", "W") or match[1].startswith("-"):
        return None
    return round(float(match[1]) * 1000)


def size(value: str | None) -> int | None:
    """Bytes of `16376 MiB` or `16376`."""
    match = _NUMBER.fullmatch((value or "").strip())
    factor = _BYTES.get(match[2]) if match else None
    if not match or factor is None or match[1].startswith("-"):
        return None
    return round(float(match[1]) * factor)


def signed(value: str | None) -> int | None:
    """A whole number with or without its unit: `53 C`."""
    match = _WHOLE.fullmatch((value or "").strip())
    return int(match[1]) if match else None


def whole(value: str | None) -> int | None:
    """A whole number from 0 with or without its unit: `5`, `16x`, `7 %`, `1980 MHz`."""
    number = signed(value)
    return None if number is None or number < 0 else number


def bits(value: str | None) -> int | None:
    """`0x0000000000000004`."""
    match = re.fullmatch(r"0[xX]([0-9a-fA-F]{1,16})", (value or "").strip())
    return int(match[1], 16) if match else None


def switched(value: str | None) -> bool | None:
    """Enabled or Disabled, Yes or No, Active or Not Active, 1 or 0."""
    low = (value or "").strip().lower()
    return True if low in _ON else False if low in _OFF else None


def uuid(value: str | None) -> str | None:
    match = re.fullmatch(r"(?:GPU|MIG)-[0-9A-Za-z/-]{1,120}", (value or "").strip())
    return match[0] if match else None


def bus_id(value: str | None) -> str | None:
    """A PCI address with its domain of four to eight digits."""
    match = re.fullmatch(
        r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]", (value or "").strip()
    )
    return match[0] if match else None


def version(value: str | None) -> str | None:
    """`595.71.05` or `13.2`; a container without the library says `ERR!` or `N/A` for CUDA."""
    match = re.fullmatch(r"\d{1,4}(?:\.\d{1,4}){1,3}", (value or "").strip(), re.ASCII)
    return match[0] if match else None


def addressing_mode(value: str | None) -> str | None:
    """HMM, ATS or None, which is a mode and no missing value."""
    text = known(value)
    return text if text and text.isalpha() and text.isascii() else None


def recovery_action(value: str | None) -> int | None:
    return _RECOVERY.get((value or "").strip().lower().replace("_", " "))


def compute_mode(value: str | None) -> int | None:
    """`Exclusive_Process` in -q and the table of drivers to R595; older ones write a space."""
    return _COMPUTE.get((value or "").strip().lower().replace("_", " "))


def fabric_state(value: str | None) -> int | None:
    return _FABRIC.get((value or "").strip().lower())


def fabric_status(value: str | None) -> int | None:
    return _STATUS.get((value or "").strip().lower())
