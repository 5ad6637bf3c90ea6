"""inspect_request: everything that a spec points at."""

from __future__ import annotations

from provision.spec.read import read_spec
from provision.spec.request import inspect_request

from .specs import EVERYTHING, SMALLEST


def test_everything_that_a_spec_points_at() -> None:
    request = inspect_request(read_spec(EVERYTHING).spec)
    manifests = "/var/lib/ollama/models/manifests"
    assert request.paths == (
        "/etc/llm/key",
        "/etc/llm/keys",
        "/srv/hf",
        "/srv/hf/hub/models--meta-llama--Llama-3.3-70B-Instruct-AWQ",
        "/srv/models/spare.gguf",
        "/srv/models/tiny model.gguf",
        "/var/lib/ollama/models",
        f"{manifests}/hf.co/bartowski/Llama-3.2-1B-GGUF/Q4_K_M",
        f"{manifests}/registry.ollama.ai/library/llama3.1/8b",
    )
    assert request.venvs == ("/opt/vllm",)
    assert request.binaries == ("/usr/local/bin/vllm",)


def test_a_models_folder_of_ones_own() -> None:
    spec = read_spec(SMALLEST + "    models_dir: /srv/ollama/\n").spec
    assert inspect_request(spec).paths == (
        "/srv/ollama/",
        "/srv/ollama/manifests/registry.ollama.ai/library/llama3.1/8b",
    )


def test_a_vllm_model_in_a_folder() -> None:
    text = "version: 1\ninstances:\n  a: {engine: vllm, model: /srv/models/qwen}\n"
    request = inspect_request(read_spec(text).spec)
    assert request.paths == ("/srv/models/qwen",)
    assert request.venvs == request.binaries == ()
