"""What the host half must look at for this spec: everything that it points at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.host.facts import InspectRequest
from provision.host.ollama_tags import DEFAULT_MODELS_DIR, OllamaTag

if TYPE_CHECKING:
    from .model import HostSpec, InstanceSpec


def inspect_request(spec: HostSpec) -> InspectRequest:
    """Paths, venvs and binaries, sorted, each once."""
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
    )


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
