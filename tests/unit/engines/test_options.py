from __future__ import annotations

import pytest

from provision.engines.options import has_option, named_options, option_value, owned_by
from provision.engines.registry import ENGINES, engine_named
from provision.engines.versions import at_least, numbers


@pytest.mark.parametrize(
    ("engine", "args", "owned"),
    [
        ("vllm", ["--port", "1"], ["--port"]),
        ("vllm", ["--port=1"], ["--port"]),
        ("vllm", ["--tensor_parallel_size=4"], ["--tensor-parallel-size"]),
        ("vllm", ["-tp", "4"], ["-tp"]),
        ("vllm", ["-tp=4"], ["-tp"]),
        ("vllm", ["--tensor-par", "4"], ["--tensor-parallel-size"]),
        ("vllm", ["--max-num-batched-tokens", "8192"], []),
        ("vllm", ["--model-impl", "auto"], []),
        ("vllm", ["--api-key", "x"], ["--api-key"]),
        ("vllm", ["--hf-overrides", '{"a": "--port"}'], []),
        ("llama-server", ["-c", "4096"], ["-c"]),
        ("llama-server", ["--ctx_size", "4096"], ["--ctx-size"]),
        ("llama-server", ["-cb"], []),
        ("llama-server", ["-ngl", "20"], ["-ngl"]),
        ("llama-server", ["--gpu_layers=20"], ["--gpu-layers"]),
        ("llama-server", ["-ts", "1,1", "-sm", "row"], ["-ts", "-sm"]),
        ("llama-server", ["-ctk", "q8_0", "--cache_type_v", "q8_0"], ["-ctk", "--cache-type-v"]),
        ("llama-server", ["-md", "/srv/d.gguf"], ["-md"]),
        ("llama-server", ["-fa", "on", "--spec-type", "draft-mtp", "--cache-ram", "0"], []),
        ("vllm", ["--kv_cache_dtype=fp8"], ["--kv-cache-dtype"]),
        ("vllm", ["--kv-cache-dtype-skip-layers", "0"], []),
        ("vllm", ["-ep"], ["-ep"]),
        ("vllm", ["--speculative-config", "{}"], ["--speculative-config"]),
        ("vllm", ["--kv-cache-memory-bytes", "1G"], ["--kv-cache-memory-bytes"]),
        ("llama-server", ["-t", "-1"], ["-t"]),
        ("llama-server", ["--temp", "-1"], []),
        ("llama-server", ["--threads-http", "4"], []),
    ],
)
def test_owned_options_in_every_spelling(engine: str, args: list[str], owned: list[str]) -> None:
    options = engine_named(engine).owned_options
    found = [owned_by(name, options) for _, name in named_options(args)]
    assert [one for one in found if one is not None] == owned


def test_every_rendered_variable_that_may_not_change_is_owned() -> None:
    for engine in ENGINES.values():
        assert {"CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES", "HOME"} <= set(engine.owned_variables)


@pytest.mark.parametrize(
    ("engine", "variable", "key"),
    [
        ("ollama", "OLLAMA_KV_CACHE_TYPE", "kv_cache"),
        ("ollama", "LLAMA_ARG_CACHE_TYPE_K", "kv_cache"),
        ("ollama", "LLAMA_ARG_TENSOR_SPLIT", "gpus"),
        ("ollama", "LLAMA_ARG_N_GPU_LAYERS", "cpu_offload"),
        ("llama-server", "LLAMA_ARG_CACHE_TYPE_V", "kv_cache"),
        ("llama-server", "LLAMA_ARG_TENSOR_SPLIT", "gpus"),
        ("llama-server", "LLAMA_ARG_SPEC_DRAFT_MODEL", "draft_model"),
        ("vllm", "VLLM_PP_LAYER_PARTITION", "gpus"),
    ],
)
def test_variables_that_memory_is_planned_from_are_owned(
    engine: str, variable: str, key: str
) -> None:
    assert engine_named(engine).owned_variables[variable] == key


def test_inference_paths_do_not_manage_models() -> None:
    forbidden = ("/api/pull", "/api/delete", "/api/create", "/api/push", "/slots", "/metrics")
    for engine in ENGINES.values():
        assert not set(forbidden) & set(engine.inference_paths)
        assert list(engine.inference_paths) == sorted(set(engine.inference_paths))
        prefixes = [path for path in engine.inference_paths if path.endswith("/")]
        assert not any(word.startswith(path) for path in prefixes for word in forbidden)


def test_values() -> None:
    assert option_value(["--a", "1", "--b=2", "--c", "--d"], "--b") == "2"
    assert option_value(["--a", "1", "--a", "3"], "--a") == "3"
    assert option_value(["--c", "--d"], "--c") is None
    assert has_option(["--n_gpu_layers=3"], "--n-gpu-layers")


@pytest.mark.parametrize(
    ("version", "found"),
    [("0.12.3rc1", (0, 12, 3)), ("b11434", (11434,)), ("11434 (ab)", (11434,)), ("", None)],
)
def test_numbers(version: str, found: tuple[int, ...] | None) -> None:
    assert numbers(version) == found


def test_unknown_is_never_new_enough() -> None:
    assert not at_least(None, (0, 1))
    assert not at_least("nightly", (0, 1))
    assert at_least("0.18", (0, 18))
    assert not at_least("0.9.9", (0, 10))
