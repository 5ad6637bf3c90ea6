"""What NVML tells of a GPU's health: memory errors, rows that were replaced, what slows it down."""

from __future__ import annotations

from typing import Any

from .session import Device

_UNCORRECTED = 1  # nvmlMemoryErrorType_t
_SINCE_LOAD, _IN_ITS_LIFE = 0, 1  # nvmlEccCounterType_t
_RECOVERY_ACTION = 230  # NVML_FI_DEV_GET_GPU_RECOVERY_ACTION, driver 565
# Driver 535 has the first name, older ones the second; the second leaves with CUDA 14.
_REASONS = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
# Members of nvmlValue_t by nvmlValueType_t.
_MEMBERS = {1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal", 6: "usVal"}


def health(device: Device) -> dict[str, Any]:
    current, pending = device.ask("nvmlDeviceGetEccMode") or (None, None)
    return {
        "throttle": device.first(_REASONS),
        "ecc": None if current is None else bool(current),
        "ecc_pending": None if pending is None else bool(pending),
        "ecc_uncorrected": device.ask("nvmlDeviceGetTotalEccErrors", _UNCORRECTED, _SINCE_LOAD),
        "ecc_uncorrected_total": device.ask(
            "nvmlDeviceGetTotalEccErrors", _UNCORRECTED, _IN_ITS_LIFE
        ),
        "recovery_action": _field_value(device, _RECOVERY_ACTION),
        **_remapped(device),
    }


def _remapped(device: Device) -> dict[str, Any]:
    """Rows replaced by spare ones; before Ampere pages were retired instead."""
    rows = device.ask("nvmlDeviceGetRemappedRows")
    if not rows:
        return {"remapping_pending": device.flag("nvmlDeviceGetRetiredPagesPendingStatus")}
    correctable, uncorrectable, pending, failed = rows
    return {
        "remapped_correctable": correctable,
        "remapped_uncorrectable": uncorrectable,
        "remapping_pending": bool(pending),
        "remapping_failed": bool(failed),
    }


def _field_value(device: Device, field: int) -> int | None:
    """One value of nvmlDeviceGetFieldValues, whose every value has a return code of its own."""
    values = device.ask("nvmlDeviceGetFieldValues", [field])
    if not values or values[0].nvmlReturn:
        return None
    member = _MEMBERS.get(values[0].valueType)
    return getattr(values[0].value, member) if member else None
