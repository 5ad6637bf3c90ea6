"""Launch: all that an engine needs to know to start one instance. Made by the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from provision.host.bundle import SecretReference
from provision.host.facts import Vendor
from provision.host.quantity import CpuSet, PciAddress

EngineName = Literal["ollama", "vllm", "llama-server"]


@dataclass(frozen=True, slots=True)
class LaunchGpu:
    """A GPU of the instance, in the order in which the engine sees it (tensor rank order)."""

    uuid: str
    address: PciAddress
    index: int  # at planning time, for people only
    numa_node: int | None = None
    name: str | None = None
    memory_mib: int | None = None
    vendor: Vendor = "nvidia"
    profile: str | None = None  # of a MIG slice, whose own UUID this is: 1g.10gb


@dataclass(frozen=True, slots=True)
class Pin:
    """Where an instance's threads and memory belong.

    cpus None: not pinned. memory None: no memory policy. form says who enforces it.
    """

    form: Literal["systemd", "numactl", "none"] = "none"
    nodes: tuple[int, ...] = ()
    cpus: CpuSet | None = None
    memory: Literal["preferred", "bind"] | None = None
    per_worker: bool = False  # the instance spans nodes and the engine binds its own workers


@dataclass(frozen=True, slots=True)
class Launch:
    """One instance as it is to be started. None: leave the engine's own default."""

    name: str  # chat.0
    group: str  # chat
    engine: EngineName
    program: str  # /usr/local/bin/ollama, /opt/vllm/bin/vllm, /usr/local/bin/llama-server
    models: tuple[str, ...]  # ids, tags or absolute paths, as the engine takes them
    gpus: tuple[LaunchGpu, ...] = ()
    pin: Pin = Pin()
    threads: int | None = None
    port: int = 0
    internal_ports: tuple[int, ...] = ()  # first is vLLM's VLLM_PORT base
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    context: int | None = None
    parallel: int | None = None
    memory_utilization: float | None = None
    kv_cache: str | None = None  # type of its elements: fp8, q8_0, q4_0; None: the engine's own
    stage_layers: tuple[int, ...] = ()  # layers of each pipeline stage, where they are not even
    gpu_layers: int | None = None  # llama.cpp: layers on GPUs when some stay in RAM; None: all
    expert_parallel: bool = False
    draft_model: str | None = None
    models_dir: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    secrets: Mapping[str, SecretReference] = field(default_factory=dict)
    version: str | None = None  # the engine's, where inspection found it
    python: str = "/usr/bin/python3"  # runs the host half in the unit
    numactl: str = "/usr/bin/numactl"
    min_healthy: int = 0  # replicas of the group that stay in the balancer during a restart
    drain_seconds: int = 300
