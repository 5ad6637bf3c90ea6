"""What the host half must look at for this spec: everything that it points at."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from provision.host.facts import InspectRequest
from provision.host.ollama_tags import DEFAULT_MODELS_DIR, OllamaTag

from .listen import BadListenError, parse_listen

if TYPE_CHECKING:
    from .model import HostSpec, InstanceSpec

# HF_HOME of the units that are given no models_dir: below the state directory of user vllm.
DEFAULT_HF_HOME = "/var/lib/vllm/huggingface"


def inspect_request(spec: HostSpec) -> InspectRequest:
    """Paths, venvs, binaries and ports, sorted, each once; what the findings must know besides."""
    paths: set[str] = set()
    for one in spec.instances.values():
        paths |= _model_paths(one)
        paths |= {secret.file for secret in one.secrets.values()}
    if spec.proxy and spec.proxy.keys:
        paths.add(spec.proxy.keys.file)
    for way in (spec.proxy and spec.proxy.upstreams) or ():
        if way.backup and way.backup.key:
            paths.add(way.backup.key.file)
    instances = spec.instances.values()
    return InspectRequest(
        paths=tuple(sorted(paths)),
        venvs=tuple(sorted({one.venv for one in instances if one.venv})),
        binaries=tuple(sorted({one.binary for one in instances if one.binary})),
        ports=tuple(sorted(_ports(spec))),
        pins=any(one.numa != "off" for one in instances),
        power_supply_watts=spec.gpu_settings.power_supply_watts if spec.gpu_settings else None,
    )


def _ports(spec: HostSpec) -> set[int]:
    """Every port that is written down. Further replicas take free ones, which clash with none."""
    ports = {one.port for one in spec.instances.values() if one.port is not None}
    if spec.proxy:
        ports |= {one.port for one in spec.proxy.upstreams or () if one.port is not None}
        with suppress(BadListenError):  # complained about where the spec is read
            ports.add(parse_listen(spec.proxy.listen).port)
    return ports


def _model_paths(spec: InstanceSpec) -> set[str]:
    """Files and folders that show whether the models are on the host."""
    paths = {spec.models_dir} if spec.models_dir else set()
    if spec.engine == "ollama":
        paths.add(spec.models_dir or DEFAULT_MODELS_DIR)
    models = list(spec.models or ([spec.model] if spec.model else []))
    models += [spec.draft_model] if spec.draft_model else []
    for model in models:
        paths |= set(model_paths(spec.engine, model, spec.models_dir))
    return paths


def model_paths(engine: str, model: str, models_dir: str | None = None) -> tuple[str, ...]:
    """Where an engine keeps a model on the host: its manifest, its file, its folder of the hub."""
    if engine == "ollama":
        return (OllamaTag.parse(model).manifest(models_dir or DEFAULT_MODELS_DIR),)
    if model.startswith("/"):
        return (model,)
    if engine != "vllm":
        return ()
    # Where Hugging Face's hub client keeps a model below HF_HOME.
    hub = (models_dir or DEFAULT_HF_HOME).rstrip("/")
    return (f"{hub}/hub/models--{model.replace('/', '--')}",)
