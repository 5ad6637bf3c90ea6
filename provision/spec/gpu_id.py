"""The names of single GPUs in host.yaml: UUIDs and PCI addresses, never indices."""

from __future__ import annotations

import re

from provision.host.quantity import PciAddress

_HEX = r"[0-9a-fA-F]"
_UUID = rf"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
# GPU-<uuid>: NVIDIA. GPU-<16 hex>: AMD. MIG-<uuid>, and MIG-GPU-<uuid>/gi/ci of drivers before 470.
_GPU = re.compile(rf"GPU-(?:{_UUID}|{_HEX}{{16}})|MIG-(?:{_UUID}|GPU-{_UUID}/\d+/\d+)")


def canonical(text: str) -> str | None:
    """One spelling for one GPU, for comparing; None when this names no GPU."""
    if _GPU.fullmatch(text):
        return text.lower()
    try:
        return str(PciAddress.parse(text))
    except ValueError:
        return None


def is_slice(text: str) -> bool:
    """Whether this names a MIG slice."""
    return text.startswith("MIG-") and bool(_GPU.fullmatch(text))


def is_index(text: str) -> bool:
    """Whether this is a bare number, as nvidia-smi counts GPUs."""
    return bool(re.fullmatch(r"\s*\d+(\s*,\s*\d+)*\s*", text))


def hint(text: str) -> str:
    """How to write the GPU that was probably meant."""
    if re.fullmatch(rf"(?:{_HEX}{{1,8}}:)?{_HEX}{{1,2}}:{_HEX}{{1,2}}", text):
        return f"write {text}.0: a PCI address ends with its function"
    if re.fullmatch(_UUID, text):
        return f"write GPU-{text}"
    if text.startswith(("GPU-", "MIG-")):
        return "write the whole UUID, as nvidia-smi -L shows it"
    return "write a UUID (GPU-..., MIG-...) or a PCI address (0000:17:00.0); by name: {model: H100}"
