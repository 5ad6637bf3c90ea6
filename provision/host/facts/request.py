"""InspectRequest: what the deciding half wants looked at besides the machine itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class InspectRequest:
    """What the spec points at and the host half must look at. Paths are absolute."""

    VERSION: ClassVar[int] = 1
    version: int = 1
    paths: tuple[str, ...] = ()  # model files, model folders, key files
    venvs: tuple[str, ...] = ()  # virtual environments that hold vllm, sglang or ray
    binaries: tuple[str, ...] = ()  # engine programs besides those on PATH
    ports: tuple[int, ...] = ()  # TCP ports that the spec names, for the finding of a clash
    pins: bool | None = None  # whether instances will be pinned; None: no spec was given
    power_supply_watts: int | None = None  # what the power supplies give, by the owner's word
