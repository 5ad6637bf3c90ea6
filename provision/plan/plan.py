"""Plan: which instance runs where and how, and why. Made by plan.planner, read by render."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from provision.engines.launch import Launch
from provision.host.bundle import GpuSetting
from provision.host.errors import Diagnostic


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was decided, in a sentence with its numbers. subject: chat, chat.0, proxy."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Member:
    """An instance behind the proxy."""

    instance: str
    port: int
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Route:
    """One way in: requests under `path` on `listen` go to the members, all serving the same models.

    strip: the prefix is cut before the request is passed on (`/small/v1/...` -> `/v1/...`).
    paths: what may be asked, as the engine's inference paths (`/v1/`, `/api/chat`); others get 404.
    """

    name: str  # also the nginx upstream: provision_NAME
    listen: tuple[str, ...]  # 127.0.0.1:8080
    path: str  # "/" or "/small/"
    strip: bool
    engine: str
    members: tuple[Member, ...]
    paths: tuple[str, ...]
    all_paths: bool = False
    host_header: str = "localhost"
    keepalive_timeout_seconds: int = 4


@dataclass(frozen=True, slots=True)
class Proxy:
    listen: tuple[str, ...]
    routes: tuple[Route, ...]
    connect_timeout_seconds: int = 5
    read_timeout_seconds: int = 3600
    send_timeout_seconds: int = 60
    max_body_mib: int = 64
    keys_file: str | None = None
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedGpuSettings:
    gpus: tuple[GpuSetting, ...] = ()
    device_order: Literal["PCI_BUS_ID", "FASTEST_FIRST"] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision for one host. instances are in the order of the spec, replicas by number."""

    VERSION: ClassVar[int] = 1
    version: int
    host: str
    systemd: int | None  # version of the host's, for directives by version
    cgroup: Literal["v1", "hybrid", "v2"] | None
    python: str
    instances: tuple[Launch, ...] = ()
    gpu_settings: PlannedGpuSettings | None = None
    proxy: Proxy | None = None
    takeover: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)  # instance -> why it stays where it is
