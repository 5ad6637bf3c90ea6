"""What the host half must look at for this spec: everything that it points at."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from provision.host.facts import InspectRequest
from provision.host.ollama_tags import DEFAULT_MODELS_DIR, OllamaTag

from .listen import BadListenError, parse_listen

if TYPE_CHECKING:
    from .model import HostSpec, InstanceSpec


def inspect_request(spec: HostSpec) -> InspectRequest:
    """Paths, venvs, binaries and ports, sorted, each once; what the findings must know besides."""
    paths: set[str] = set()
    for one in spec.instances.values():
        paths |= _model_paths(one)
        paths |= {secret.file for secret in one.secrets.values()}
    if spec.proxy and spec.proxy.keys:
        paths.add(spec.proxy.keys.file)
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
    models = spec.models or ([spec.model] if spec.model else [])
    if spec.engine == "ollama":
        folder = spec.models_dir or DEFAULT_MODELS_DIR
        paths.add(folder)
        paths |= {OllamaTag.parse(model).manifest(folder) for model in models}
        return paths
    paths |= {model for model in models if model.startswith("/")}
    if spec.engine == "vllm" and spec.models_dir:
        # Where Hugging Face's hub client keeps a model below HF_HOME.
        hub = f"{spec.models_dir.rstrip('/')}/hub/models--"
        paths |= {hub + model.replace("/", "--") for model in models if not model.startswith("/")}
    return paths
