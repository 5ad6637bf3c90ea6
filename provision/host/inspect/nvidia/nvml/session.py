"""Questions to NVML, one call each: any may be refused, unsupported, missing, or hit a bug.

pynvml resolves each symbol at its first call, so an old driver raises FunctionNotFound there; GPUs
of many kinds answer NotSupported; some calls are root's. Each answer stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import ArgumentError
from dataclasses import dataclass, replace
from typing import Any

# nvmlReturn_t
INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
INSUFFICIENT_SIZE = 7
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16

_NOT_AVAILABLE = 0xFFFFFFFF  # NVML_VALUE_NOT_AVAILABLE of an unsigned int


@dataclass(frozen=True, slots=True)
class Told:
    """One call's answer. code: nvmlReturn_t, FUNCTION_NOT_FOUND for a fault of the binding."""

    value: Any = None
    code: int = 0


def question(nvml: Any, call: str, *words: Any) -> Told:
    """Ask the module pynvml; the value is None for every way in which a driver declines."""
    function = getattr(nvml, call, None)  # an older nvidia-ml-py lacks it
    if function is None:
        return Told(code=FUNCTION_NOT_FOUND)
    try:
        return Told(function(*words))
    except nvml.NVMLError as error:
        return Told(code=error.value)
    except nvml.NVMLLibraryMismatchError:  # it turns FunctionNotFound into this at some calls
        return Told(code=FUNCTION_NOT_FOUND)
    except (AttributeError, TypeError, ValueError, ArgumentError):  # the binding's own faults
        return Told(code=FUNCTION_NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU or a slice of one, to be asked."""

    nvml: Any  # the module pynvml
    handle: Any
    gone: list[str]  # the driver's words when it says that the GPU cannot be used any more

    def question(self, call: str, *words: Any) -> Told:
        """One call about this device; what is no answer is told by its code."""
        told = question(self.nvml, call, self.handle, *words)
        if told.code in (GPU_IS_LOST, RESET_REQUIRED):
            text = str(self.nvml.NVMLError(told.code))
            if text not in self.gone:
                self.gone.append(text)
        return told

    def ask(self, call: str, *words: Any) -> Any:
        """One call's answer, or None."""
        return self.question(call, *words).value

    def first(self, calls: Sequence[str], *words: Any) -> Any:
        """The answer of the first of these calls that gives one: newer names come first."""
        for call in calls:
            value = self.ask(call, *words)
            if value is not None:
                return value
        return None

    def number(self, call: str, *words: Any) -> int | None:
        """A count; the marker for `not available` is None."""
        return known(self.ask(call, *words))

    def flag(self, call: str, *words: Any) -> bool | None:
        value = self.ask(call, *words)
        return None if value is None else bool(value)

    def text(self, call: str) -> str | None:
        """A word or name, None when it is empty."""
        value = self.ask(call)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return value.strip("\0 ") or None if isinstance(value, str) else None

    def slice_of(self, handle: Any) -> Device:
        """A MIG device of this GPU; where one is lost, both are."""
        return replace(self, handle=handle)


def known(value: Any) -> int | None:
    """A whole number that is not NVML_VALUE_NOT_AVAILABLE."""
    return value if isinstance(value, int) and value != _NOT_AVAILABLE else None


def address_text(bus: bytes | str) -> str | None:
    """NVML's bus id as text: `00000000:17:00.0`.

    None when it is empty, or has all bits set (a switch that is not on this host's PCI bus).
    """
    text = bus.decode("ascii", "replace") if isinstance(bus, bytes) else bus
    text = text.strip("\0 ")
    return None if not text or text.upper().startswith("FFFFFFFF:") else text
