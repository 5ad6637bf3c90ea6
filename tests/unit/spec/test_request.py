"""inspect_request: everything that a spec points at."""

from __future__ import annotations

from provision.engines.launch import Launch
from provision.engines.vllm import Vllm
from provision.spec.read import read_spec
from provision.spec.request import DEFAULT_HF_HOME, inspect_request

from .specs import EVERYTHING, SMALLEST


def test_everything_that_a_spec_points_at() -> None:
    request = inspect_request(read_spec(EVERYTHING).spec)
    manifests = "/var/lib/ollama/models/manifests"
    assert request.paths == (
        "/etc/llm/key",
        "/etc/llm/keys",
        "/srv/hf",
        "/srv/hf/hub/models--meta-llama--Llama-3.2-1B-Instruct",
        "/srv/hf/hub/models--meta-llama--Llama-3.3-70B-Instruct-AWQ",
        "/srv/models/draft.gguf",
        "/srv/models/spare.gguf",
        "/srv/models/tiny model.gguf",
        "/var/lib/ollama/models",
        f"{manifests}/hf.co/bartowski/Llama-3.2-1B-GGUF/Q4_K_M",
        f"{manifests}/registry.ollama.ai/library/llama3.1/8b",
        f"{manifests}/registry.ollama.ai/library/qwen3/4b",
        "/var/lib/vllm/huggingface/hub/models--meta-llama--Llama-3.3-70B-Instruct-AWQ",
    )
    assert request.venvs == ("/opt/vllm",)
    assert request.binaries == ("/usr/local/bin/vllm",)
    assert request.ports == (8000, 8080, 8081)
    assert request.pins is True
    assert request.power_supply_watts == 3000


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


def test_a_draft_model_beside_its_model() -> None:
    text = "version: 1\ninstances:\n  a: {engine: vllm, model: a/b, draft_model: /srv/small}\n"
    request = inspect_request(read_spec(text).spec)
    assert request.paths == ("/srv/small", "/var/lib/vllm/huggingface/hub/models--a--b")


def test_without_a_folder_the_units_own_is_looked_at() -> None:
    """The folder that the unit is given is the one that inspection was asked about."""
    launch = Launch("a.0", "a", "vllm", "/usr/bin/vllm", ("a/b",))
    assert Vllm().environment(launch)["HF_HOME"] == DEFAULT_HF_HOME


def test_ports_are_those_that_are_written_down() -> None:
    text = """\
version: 1
instances:
  a: {engine: ollama, model: tiny, port: 9000, replicas: 3}
  b: {engine: ollama, model: tiny}
proxy: {listen: 80, upstreams: [{path: /, instances: [a]}, {port: 81, instances: [b]}]}
"""
    assert inspect_request(read_spec(text).spec).ports == (80, 81, 9000)
    assert inspect_request(read_spec(SMALLEST).spec).ports == ()


def test_pins_are_wished_for_unless_every_instance_is_without() -> None:
    off = SMALLEST + "    numa: off\n"
    other = "  other: {engine: ollama, model: tiny, numa: [0]}\n"
    assert inspect_request(read_spec(SMALLEST).spec).pins is True
    assert inspect_request(read_spec(off).spec).pins is False
    assert inspect_request(read_spec(off + other).spec).pins is True


def test_power_supplies_that_are_not_told_are_unknown() -> None:
    told = SMALLEST + "gpu_settings: {power_supply_watts: 1600}\n"
    other = SMALLEST + "gpu_settings: {persistence: true}\n"
    wanted = {SMALLEST: None, told: 1600, other: None}
    found = {text: inspect_request(read_spec(text).spec).power_supply_watts for text in wanted}
    assert found == wanted
