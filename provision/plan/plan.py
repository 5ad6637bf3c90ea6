"""Plan: which instance runs where and how, and why. Made by plan.planner, read by render."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from provision.engines.launch import Launch
from provision.host.bundle import GpuSetting, WatchSettings
from provision.host.errors import Diagnostic
from provision.host.facts import InspectRequest

from .cost.speed import Speed


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
class Pool:
    """Members of a route that serve the same models, with the names that clients ask for.

    listed: of each model the one name that a list of models shows. paths: as in Route.
    """

    name: str  # of the group: chat
    engine: str
    models: tuple[str, ...]
    members: tuple[Member, ...]
    listed: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Backup:
    """Where a route leads when all its members are down or busy: members, or a URL elsewhere.

    authorities: the host's file of certificate authorities, for https.
    """

    members: tuple[Member, ...] = ()
    url: str | None = None
    key_file: str | None = None
    authorities: str | None = None


@dataclass(frozen=True, slots=True)
class Tls:
    certificate: str
    key: str
    http2: bool = True


@dataclass(frozen=True, slots=True)
class RateLimit:
    requests_per_second: float
    burst: int = 20
    by: Literal["address", "key"] = "address"


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
    max_in_flight: int | None = None  # a member
    backup: Backup | None = None
    pools: tuple[Pool, ...] = ()  # by_model: the members by what they serve; else empty


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
    tls: Tls | None = None
    rate_limit: RateLimit | None = None
    max_connections: int | None = None
    access_log: str | None = None
    nginx_version: str | None = None  # of the host's, for directives by version


@dataclass(frozen=True, slots=True)
class Drift:
    """The timer that compares the host with what was applied."""

    every_minutes: int
    textfile: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedGpuSettings:
    gpus: tuple[GpuSetting, ...] = ()
    device_order: Literal["PCI_BUS_ID", "FASTEST_FIRST"] | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What was reckoned for one instance. Tuples go by GPU, in the order of Launch.gpus.

    room_mib: what the instance may take there. kv_tokens: tokens of context that its KV cache holds
    in all. speed None: the cards are not in the table, or the model is not known by shape.
    """

    need_mib: tuple[int, ...] = ()
    error_mib: tuple[int, ...] = ()
    room_mib: tuple[int, ...] = ()
    ram_mib: int = 0
    context: int | None = None
    kv_tokens: int | None = None
    speed: Speed | None = None


@dataclass(frozen=True, slots=True)
class PartLine:
    """A summand of the memory of one GPU, or of RAM."""

    name: str
    mib: float
    error_mib: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way that was weighed, on the best group of GPUs for it.

    verdict lost: it would work, and `why` says by which rule (`rule`) another was taken.
    """

    way: str  # one GPU, tensor 2, pipeline 2, tensor 2 x pipeline 2, layers 44 + 36, on the CPU
    gpus: tuple[int, ...]  # by index at planning time, in rank order
    uuids: tuple[str, ...]
    joint: str  # joined by 4 NVLinks
    need_mib: tuple[int, ...]
    room_mib: tuple[int, ...]
    verdict: Literal["chosen", "lost", "impossible"]
    rule: str  # memory, heads, unequal, more-gpus, slower, taken, ...
    why: str
    context: int | None = None
    kv_tokens: int | None = None
    speed: Speed | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole reasoning for the instances of one group."""

    group: str
    instances: tuple[str, ...]
    models: tuple[str, ...]  # a sentence each: what it is, in which quantisation, known from where
    optimize: str
    parts: tuple[PartLine, ...] = ()  # on the fullest GPU of the chosen way
    ram: tuple[PartLine, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    placing: tuple[str, ...] = ()  # sentences: why these GPUs, beside all other instances


@dataclass(frozen=True, slots=True)
class PlanSource:
    """What a saved plan was made from, so that `apply` can tell whether that still holds.

    spec: absolute path of host.yaml. stable: SHA-256 of each part of the stable facts that a plan
    depends on, by its name (gpus, cpu, engines). request: what to look at for the same facts.
    """

    spec: str
    spec_sha256: str
    stable: Mapping[str, str]
    request: InspectRequest


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
    watch: WatchSettings | None = None
    drift: Drift | None = None
    takeover: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)  # instance -> why it stays where it is
    moved: Mapping[str, str] = field(default_factory=dict)  # instance -> from where to where
    figures: Mapping[str, Figures] = field(default_factory=dict)  # by instance
    explanations: tuple[Explanation, ...] = ()  # by group, in the order of the spec
    proven: bool = True  # no placement is better; False: the search ended before it knew
    source: PlanSource | None = None  # of a saved plan
