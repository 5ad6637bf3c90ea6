"""The Bundle: everything the host half needs to bring one host to the wanted state.

Closed data: what only an engine knows but the host must do travels here as Probe, Drain and
Expectation; nothing in it is a program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from .facts import Placed
from .quantity import CpuSet, PciAddress


@dataclass(frozen=True, slots=True)
class Artifact:
    """One owned path. Always root:root; what services write lies in folders made by tmpfiles.d.

    content is text (or base64 text when encoding says so), or a link's target.
    """

    path: str  # absolute, as on the host
    content: str = ""
    mode: int = 0o644
    kind: Literal["file", "link"] = "file"
    encoding: Literal["utf-8", "base64"] = "utf-8"
    secret: bool = False  # shown only as changed or not; written 0600


@dataclass(frozen=True, slots=True)
class KeyMap:
    """An nginx map of API keys, made on the host from a root-only file of one key a line.

    source is the owner's file; target the owned artifact with lines `"~^Bearer KEY$" N;`, N
    counting the keys from 1 in the order of the owner's file.
    """

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class KeyHeader:
    """An nginx file that sends an API key along, made on the host from a root-only file.

    source is the owner's file, its first key is taken; target the owned artifact (0600) with the
    line `proxy_set_header Authorization "Bearer KEY";`.
    """

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class SecretReference:
    """A secret that stays on the host: the file that holds it."""

    file: str


@dataclass(frozen=True, slots=True)
class Probe:
    """One HTTP request to loopback and what counts as success.

    status: wanted code. body_has: text that must appear in the body. token_at: dotted path into
    the JSON answer (numbers index lists) where a non-empty string or positive number must stand,
    the proof of one generated token. bearer: file whose content is sent as the API key.
    """

    url: str  # http://127.0.0.1:8000/health
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None  # JSON text
    status: int = 200
    body_has: str | None = None
    token_at: tuple[str, ...] = ()  # any one of these paths suffices
    timeout_seconds: float = 10.0
    bearer: SecretReference | None = None


@dataclass(frozen=True, slots=True)
class Drain:
    """How an engine finishes its work: where its number of running requests is read.

    metric: the Prometheus sample in the answer to `idle` that is 0 when nothing is worked on.
    progress: counters in the same answer of which one grows while it works; an instance that is
    busy and makes progress is not hung. Without them the unit's CPU time is looked at.
    patience_seconds: how long to wait until it is idle, before it is stopped nevertheless.
    """

    idle: Probe | None = None
    metric: str | None = None
    progress: tuple[str, ...] = ()
    patience_seconds: int = 300


@dataclass(frozen=True, slots=True)
class GuardGpu:
    uuid: str
    address: PciAddress


@dataclass(frozen=True, slots=True)
class InstanceRuntime:
    """What guard and ready need on the host, kept as /etc/provision/instances/NAME.json.

    guard checks that exactly these GPUs are there, writes the variable `visible_devices_variable`
    (indices in PCI order, or nothing when None) and the secrets into /run/provision/NAME.env.
    """

    VERSION: ClassVar[int] = 1
    version: int
    name: str
    gpus: tuple[GuardGpu, ...] = ()
    visible_devices_variable: str | None = None
    secrets: Mapping[str, SecretReference] = field(default_factory=dict)
    ready: Probe | None = None
    token: Probe | None = None
    start_timeout_seconds: int = 1800


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the live processes of an instance must look like, for verify.

    cpus None: not pinned. memory_policy is the kernel's word in numa_maps: prefer, bind, default.
    """

    process: str  # the main process's command line holds this
    cpus: CpuSet | None = None
    memory_policy: Literal["preferred", "bind"] | None = None
    memory_nodes: tuple[int, ...] = ()
    hard_cpuset: bool = False  # AllowedCPUs= is rendered: cpuset.cpus.effective must agree
    gpus: tuple[str, ...] = ()  # UUIDs whose processes must belong to the unit, where NVML tells
    environment: Mapping[str, str] = field(default_factory=dict)  # of the live process
    port: int = 0


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: its unit, the digest it must run with, and how to prove it.

    group: its name in host.yaml, shared by its replicas. min_healthy: so many replicas of the
    group stay in the balancer while another one is restarted.
    """

    name: str
    group: str
    engine: str
    unit: str
    digest: str
    runtime: InstanceRuntime
    expectation: Expectation
    placed: Placed
    drain: Drain = Drain()
    through_proxy: Probe | None = None  # one token through nginx
    requires: tuple[str, ...] = ()  # paths that must exist before it is started
    program: str = ""  # the engine's program, must exist and be executable
    start_timeout_seconds: int = 1800
    min_healthy: int = 0
    version: str | None = None  # of the engine, where inspection found it


@dataclass(frozen=True, slots=True)
class GpuSetting:
    """Wanted settings of one GPU; None leaves a setting as it is."""

    uuid: str
    address: PciAddress
    persistence: bool | None = None
    power_limit_watts: float | None = None


@dataclass(frozen=True, slots=True)
class GpuSettings:
    """The document /etc/provision/gpu-settings.json, read by the settings unit at each boot."""

    VERSION: ClassVar[int] = 1
    version: int
    gpus: tuple[GpuSetting, ...] = ()


@dataclass(frozen=True, slots=True)
class UpstreamServer:
    """One server line of an upstream: an owned file of its own, which has two forms.

    The artifact of the path holds `up`. Both forms are ours: balancer.upstreams writes `down`
    while the instance is drained, restarted or does not answer.
    """

    route: str
    instance: str
    path: str  # /etc/nginx/provision/upstreams/ROUTE/NAME.conf
    up: str
    down: str


@dataclass(frozen=True, slots=True)
class Nginx:
    """What the proxy needs on the host: our configuration's entry file and its listeners.

    answer: an owned file that the host half writes before each reload; it holds the line
    `return 200 "MARK";` of the location `health`, MARK being made of all our nginx files as they
    lie on disk (balancer.upstreams). The artifact of the path holds the mark UNSET.
    with_backup: routes that lead elsewhere when all their servers are out. paths: what clients
    ask for, by route: `/small/`, `:9000/`.
    resolver: an owned file with nginx's `resolver` line, made on the host from its
    /etc/resolv.conf; None where no name is looked up while requests come.
    """

    configuration: str = "/etc/nginx/conf.d/provision.conf"
    listens: tuple[str, ...] = ()  # 127.0.0.1:8080, [::]:443
    health: Probe | None = None  # where the workers tell the mark; body_has is set by who asks
    servers: tuple[UpstreamServer, ...] = ()
    answer: str | None = None
    with_backup: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()  # files of the owner that it reads: certificate, its key
    modules: tuple[str, ...] = ()  # that are not built in everywhere: ngx_http_js_module
    resolver: str | None = None  # /etc/nginx/provision/resolver.conf


_SWITCH_SECONDS = 3.0  # measured: 0.2 to 0.6, 2.5 with six processes for each core


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How the watch unit judges instances (provision.host.watch).

    An instance is taken out after `failures` rounds in a row without a sign of life, one round
    each interval, a probe at most timeout seconds long. It comes back after `successes` tokens in
    a row. restart_seconds: so long after it was taken out a unit that still runs is restarted;
    None: never.
    """

    interval_seconds: float = 5.0
    timeout_seconds: float = 10.0
    failures: int = 2
    successes: int = 2
    restart_seconds: int | None = 120

    @property
    def detection_seconds(self) -> float:
        """Time after which a dead or hung instance is out of the balancer at the latest: the
        rounds, and a reload of nginx with its proof on a busy machine."""
        return self.failures * (self.interval_seconds + self.timeout_seconds) + _SWITCH_SECONDS


@dataclass(frozen=True, slots=True)
class Bundle:
    VERSION: ClassVar[int] = 1
    version: int
    host: str
    tool: str  # version of provision that rendered it
    artifacts: tuple[Artifact, ...] = ()
    key_maps: tuple[KeyMap, ...] = ()
    key_headers: tuple[KeyHeader, ...] = ()
    instances: tuple[Instance, ...] = ()
    nginx: Nginx | None = None
    gpu_settings: GpuSettings | None = None
    users: tuple[str, ...] = ()  # made by our sysusers.d file when missing
    takeover: tuple[str, ...] = ()  # vendors' own units that are stopped and disabled
    watch: WatchSettings | None = None  # None: no watch unit
    python: str = "/usr/bin/python3"  # runs the agent in units and timers
