"""Facts of what is installed, and of what the spec points at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class EngineFound:
    """An engine's program on the host. path is what a unit would start."""

    engine: str  # ollama, vllm, llama-server, tabbyapi, sglang, ray
    path: str  # program; for tabbyapi its folder
    version: str | None = None  # as it says, or as its package is named
    venv: str | None = None  # virtual environment it lies in


@dataclass(frozen=True, slots=True)
class NginxFound:
    """nginx on the host."""

    path: str  # program
    version: str | None = None  # 1.22.1
    configuration: str = "/etc/nginx/nginx.conf"  # its main file
    modules: tuple[str, ...] = ()  # static http modules by name: http_ssl_module
    dynamic_modules: tuple[str, ...] = ()  # files that may be loaded: ngx_http_js_module.so
    loaded_modules: tuple[str, ...] = ()  # those that the configuration loads


@dataclass(frozen=True, slots=True)
class ExporterFound:
    """A Prometheus exporter, or Prometheus itself, that is installed."""

    name: str  # node_exporter, dcgm-exporter, nvidia_gpu_exporter, prometheus, ...
    path: str
    unit: str | None = None  # unit file that starts it


@dataclass(frozen=True, slots=True)
class ModelFound:
    """A model file or folder, by its headers alone; no weights are read."""

    format: Literal["gguf", "safetensors", "pytorch", "config"]  # config: config.json alone
    architecture: str | None = None  # llama; LlamaForCausalLM
    name: str | None = None  # general.name, _name_or_path
    parameters: int | None = None  # number of weights in all tensors
    weight_bytes: int | None = None  # bytes of all tensors
    weights: Mapping[str, int] = field(default_factory=dict)  # bytes by type: Q4_K, F16, BF16
    largest_tensor_bytes: int | None = None  # the largest single one
    settings: Mapping[str, int | float | bool | str] = field(
        default_factory=dict
    )  # header's own keys
    lists: Mapping[str, tuple[int | float | str, ...]] = field(default_factory=dict)  # short lists
    files: int | None = None  # parts that are there
    missing: tuple[str, ...] = ()  # parts that the index or the name demands and are not there
    problem: str | None = None  # why the headers are not (fully) understood


@dataclass(frozen=True, slots=True)
class PathFound:
    """One path of the request. kind None: it does not exist (or may not be seen)."""

    path: str
    kind: Literal["file", "directory", "other"] | None = (
        None  # None: it does not exist, or may not be seen
    )
    size_bytes: int | None = None  # a file's size
    readable: bool | None = None  # by the inspecting user
    mount: str | None = None  # mount point that it lies on, or would: see Stable.mounts
    model: ModelFound | None = None  # when it is one
