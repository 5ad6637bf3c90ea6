"""HostSpec: host.yaml, version 1. The field descriptions are the reference and the hover text."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, Tag
from pydantic_core import PydanticCustomError

from .base import ABSOLUTE_PATH_PATTERN as ABSOLUTE_PATH_PATTERN
from .base import NAME_PATTERN as NAME_PATTERN
from .base import PATH_OR_OFF_PATTERN as PATH_OR_OFF_PATTERN
from .base import URL_PATH_PATTERN as URL_PATH_PATTERN
from .base import AbsolutePath as AbsolutePath
from .base import ByForm as ByForm
from .base import Name as Name
from .base import Node as Node
from .base import Port as Port
from .base import Secret as Secret
from .base import Strict as Strict
from .base import Text as Text
from .base import Weight as Weight
from .proxy_model import BackupSpec as BackupSpec
from .proxy_model import ProxySpec as ProxySpec
from .proxy_model import RateLimitSpec as RateLimitSpec
from .proxy_model import Timeouts as Timeouts
from .proxy_model import TlsSpec as TlsSpec
from .proxy_model import UpstreamSpec as UpstreamSpec
from .proxy_model import WatchSpec as WatchSpec


def _really_one(value: object) -> object:
    """Literal[1] lets true and 1.0 pass, since both equal 1 in Python."""
    if type(value) is not int:
        raise PydanticCustomError("int_type", "version must be the number 1")
    return value


class GpuSelector(Strict):
    """GPUs by what they are, instead of by name."""

    model: str | None = None
    """Part of the GPU's product name, in any case: "3090", "H100"."""
    node: Node | None = None
    """Only GPUs next to this NUMA node."""
    count: Annotated[int, Field(ge=1, le=64)] = 1
    """How many of them."""


class NumaPin(Strict):
    """NUMA nodes and how hard memory is held to them."""

    nodes: Annotated[list[Node], Field(min_length=1)]
    """The nodes to run on."""
    memory: Literal["preferred", "bind"] = "preferred"
    """preferred: other nodes when these are full. bind: never; needs enough memory there."""


class MemorySpec(Strict):
    """Memory of a model that neither its files nor the catalogue tell, over all its GPUs."""

    weights_gib: Annotated[float, Field(gt=0, le=100_000)]
    """GiB of its weights as they are stored: the size of its files."""
    kv_cache_gib: Annotated[float, Field(ge=0, le=100_000)] = 1.0
    """GiB of KV cache for all requests that are worked on at the same time."""
    layers: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Its layers; without them it is not split into stages."""
    heads: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Its attention heads; without them it is not split by tensor parallel."""


class InstanceSpec(Strict):
    """One service: an engine serving a model, once or in several replicas."""

    engine: Literal["ollama", "vllm", "llama-server"]
    """The program that serves: ollama, vllm or llama-server."""
    model: str | None = None
    """A Hugging Face id or folder (vllm), a .gguf file (llama-server), a tag (ollama)."""
    models: Annotated[list[str], Field(min_length=1)] | None = None
    """Several models of one instance; ollama only."""
    gpus: Annotated[
        Annotated[Literal["auto"], Tag("=text")]
        | Annotated[int, Field(ge=0, le=64), Tag("=number")]
        | Annotated[list[str], Field(min_length=1), Tag("=list")]
        | Annotated[GpuSelector, Tag("=mapping")],
        ByForm,
    ] = "auto"
    """auto (as few as hold the model), a count (0: CPU only), a list of UUIDs or PCI addresses,
    or {model, node, count}. A MIG slice is named by its UUID (MIG-...), alone."""
    replicas: Annotated[
        Annotated[int, Field(ge=1, le=64), Tag("=number")]
        | Annotated[Literal["per-gpu", "auto"], Tag("=text")],
        ByForm,
    ] = 1
    """How many copies. per-gpu: one on each GPU that no other instance claims. auto: as many as
    fit on those GPUs, each on as many as it needs."""
    optimize: Literal["latency", "throughput", "memory"] | None = None
    """What the split over GPUs is chosen for: latency of one stream, throughput of many streams,
    or memory (the fewest GPUs). Default: that of the file."""
    share_gpus: bool = False
    """Instances that say true may be on the same GPU, where the memory of all of them adds up to
    no more than it has. Otherwise each has its GPUs to itself."""
    cpu_offload: bool = False
    """llama-server, ollama: layers that the GPUs do not hold stay in RAM and run on the CPU, which
    is several times slower. Without it a model that does not fit is an error."""
    memory: MemorySpec | None = None
    """Memory of a model whose files are not on the host and that the catalogue does not know."""
    tensor_parallel_size: Annotated[int, Field(ge=1, le=64)] | None = None
    """vllm: GPUs that share every layer. Default: chosen for the GPUs of a replica."""
    pipeline_parallel_size: Annotated[int, Field(ge=1, le=64)] | None = None
    """vllm: stages of layers, one after the other. Default: chosen, 1 where that is best."""
    context: Annotated[int, Field(ge=128, le=10_485_760)] | None = None
    """Tokens of context for one request (ollama's num_ctx, vllm's --max-model-len;
    llama-server gets context x parallel)."""
    parallel: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Requests that one instance works on at the same time."""
    kv_cache: Literal["f16", "fp8", "q8_0", "q4_0"] | None = None
    """Type of the KV cache: f16, fp8 (vllm), q8_0 or q4_0 (llama-server, ollama). Smaller types
    hold more context in the same memory. Default: f16."""
    draft_model: str | None = None
    """A small model that guesses tokens ahead for the large one to check (llama-server: a .gguf
    file; vllm: an id or folder). Its memory is counted too."""
    expert_parallel: bool | None = None
    """vllm: whole experts on each GPU in place of a part of every expert. Default: false."""
    memory_utilization: Annotated[float, Field(gt=0, le=1)] | None = None
    """vllm: share of each GPU's memory that the instance may take. Default 0.90; where it shares
    its GPUs, what it needs."""
    binary: AbsolutePath | None = None
    """The engine's program, where it is not found on the usual paths."""
    venv: AbsolutePath | None = None
    """vllm: the virtual environment it is installed in."""
    models_dir: AbsolutePath | None = None
    """Folder of the models (ollama: OLLAMA_MODELS, vllm: HF_HOME)."""
    port: Port | None = None
    """The first replica's port on loopback; further replicas take the next free ones."""
    env: dict[str, Text] = {}
    """Environment variables for the engine that provision does not own."""
    args: list[Text] = []
    """Options for the engine's command line that provision does not own."""
    numa: Annotated[
        Annotated[Literal["auto", "off"], Tag("=text")]
        | Annotated[list[Node], Field(min_length=1), Tag("=list")]
        | Annotated[NumaPin, Tag("=mapping")],
        ByForm,
    ] = "auto"
    """auto: the node next to the GPUs. off: no pin. Or NUMA nodes, as a list or {nodes, memory}."""
    pin: Literal["systemd", "numactl"] = "systemd"
    """Who pins: directives of the unit, or numactl in front of the program."""
    secrets: dict[str, Secret] = {}
    """Environment variables whose values are read on the host at each start."""
    min_healthy: Annotated[int, Field(ge=0, le=63)] | None = None
    """Replicas that keep serving while another one is restarted; an apply that would leave fewer
    stops. Fewer than replicas. Default: all but one."""
    drain_seconds: Annotated[int, Field(ge=0, le=86400)] = 300
    """How long a replica that was taken out of the balancer may finish its requests before it is
    stopped."""


class PowerLimit(Strict):
    """A power limit for some of the GPUs."""

    gpus: Annotated[
        Annotated[list[str], Field(min_length=1), Tag("=list")]
        | Annotated[GpuSelector, Tag("=mapping")],
        ByForm,
    ]
    """UUIDs or PCI addresses of whole cards, or {model, node, count}."""
    watts: Annotated[int, Field(ge=1, le=5000)]
    """The limit in watts."""


class GpuSettingsSpec(Strict):
    """Settings of the NVIDIA driver, applied at each boot before the instances start."""

    persistence: bool | None = None
    """Keep the driver loaded while nothing uses the GPU."""
    power_limit_watts: (
        Annotated[
            Annotated[int, Field(ge=1, le=5000), Tag("=number")]
            | Annotated[list[PowerLimit], Field(min_length=1), Tag("=list")],
            ByForm,
        ]
        | None
    ) = None
    """Watts for every GPU, or a list of {gpus, watts}. Outside a card's range is an error."""
    power_supply_watts: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """What the power supplies can give in all, in watts; checked against the cards' limits."""
    device_order: Literal["PCI_BUS_ID", "FASTEST_FIRST"] | None = "PCI_BUS_ID"
    """CUDA_DEVICE_ORDER for people's shells; instances always run with PCI_BUS_ID."""


class DriftSpec(Strict):
    """A timer that compares the host with what was applied, and tells what differs."""

    every_minutes: Annotated[int, Field(ge=1, le=10080)] = 15
    """Minutes between two looks."""
    textfile: AbsolutePath | None = None
    """A .prom file for the textfile collector of node_exporter. Its folder must exist."""


class HostSpec(Strict):
    """What one host is to serve."""

    version: Annotated[Literal[1], BeforeValidator(_really_one)]
    """Version of this file's format: 1."""
    instances: Annotated[dict[Name, InstanceSpec], Field(min_length=1)]
    """The services by name."""
    optimize: Literal["latency", "throughput", "memory"] = "latency"
    """What splits over GPUs are chosen for (latency, throughput or memory), where an instance does
    not say it itself."""
    reserved_gpus: Annotated[list[str], Field(min_length=1)] | None = None
    """GPUs that no instance may get, a list of UUIDs or PCI addresses; a MIG slice by its UUID."""
    gpu_settings: GpuSettingsSpec | None = None
    """Settings of the NVIDIA driver."""
    proxy: ProxySpec | None = None
    """nginx in front of the instances."""
    drift: DriftSpec | None = None
    """A timer that looks for what was changed by hand since the last apply."""
    takeover: bool = False
    """Stop and disable vendors' own units (ollama.service) that hold our ports or GPUs."""
