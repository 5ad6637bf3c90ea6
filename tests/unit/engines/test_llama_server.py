from __future__ import annotations

import json
from typing import Any

import pytest

from provision.engines.launch import Pin
from provision.engines.llama_server import LlamaServer
from provision.host.bundle import SecretReference
from provision.host.quantity import CpuSet

from .launches import UUIDS, launch, option

ENGINE = LlamaServer()
PIN = Pin("systemd", (0,), CpuSet.parse("2-9"), "preferred")


def test_whole_command() -> None:
    one = launch("llama-server", context=4096, parallel=3, pin=PIN, threads=4, args=("--jinja",))
    assert " ".join(ENGINE.command(one)) == (
        "/usr/local/bin/llama-server --model /srv/m.gguf --host 127.0.0.1 --port 9000 "
        "--ctx-size 12288 --parallel 3 --threads 4 --threads-batch 4 --n-gpu-layers 999 "
        "--metrics --jinja"
    )


def test_what_is_not_given_is_left_to_the_engine() -> None:
    command = ENGINE.command(launch("llama-server"))
    assert not {"--ctx-size", "--parallel", "--threads", "--numa"} & set(command)


def test_one_slot_more_context_is_not_multiplied_without_parallel() -> None:
    assert option(ENGINE.command(launch("llama-server", context=4096)), "--ctx-size") == "4096"


def test_cpu_only_takes_no_layer_and_sees_no_gpu() -> None:
    one = launch("llama-server", gpus=0)
    assert option(ENGINE.command(one), "--n-gpu-layers") == "0"
    assert ENGINE.environment(one)["CUDA_VISIBLE_DEVICES"] == "-1"


def test_gpus_by_full_uuid_in_pci_order() -> None:
    found = ENGINE.environment(launch("llama-server", gpus=2))
    assert found["CUDA_VISIBLE_DEVICES"] == ",".join(UUIDS)
    assert found["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert "ROCR_VISIBLE_DEVICES" not in found
    assert ENGINE.visible_devices_variable(launch("llama-server")) is None


def test_amd_gpus_by_rocr_alone() -> None:
    found = ENGINE.environment(launch("llama-server", vendor="amd"))
    assert found["ROCR_VISIBLE_DEVICES"] == UUIDS[0]
    assert not {"CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"} & set(found)


@pytest.mark.parametrize(
    ("memory", "nodes", "words"),
    [
        ("preferred", (1,), "/usr/bin/numactl --cpunodebind=1 --preferred=1 --"),
        ("bind", (1,), "/usr/bin/numactl --cpunodebind=1 --membind=1 --"),
        ("bind", (0, 1), "/usr/bin/numactl --cpunodebind=0-1 --membind=0-1 --"),
        ("preferred", (0, 2), "/usr/bin/numactl --cpunodebind=0,2 --"),
        (None, (1,), "/usr/bin/numactl --cpunodebind=1 --"),
    ],
)
def test_numactl_in_front(memory: str | None, nodes: tuple[int, ...], words: str) -> None:
    pin = Pin("numactl", nodes, CpuSet.parse("8-15"), memory)  # type: ignore[arg-type]  # table
    command = " ".join(ENGINE.command(launch("llama-server", pin=pin)))
    assert command.startswith(words + " /usr/local/bin/llama-server --model")


def test_probes_ask_the_own_port_with_the_key() -> None:
    key = SecretReference("/etc/llm/key")
    one = launch("llama-server", secrets={"LLAMA_API_KEY": key})
    assert ENGINE.ready(one).url == "http://127.0.0.1:9000/health"
    assert ENGINE.ready(one).bearer is None
    token = ENGINE.token(one)
    assert token.bearer == key
    assert json.loads(token.body or "")["max_tokens"] == 1
    assert "usage.completion_tokens" in token.token_at
    assert ENGINE.drain(one).metric == "llamacpp:requests_processing"
    words = " ".join(ENGINE.command(one)) + " ".join(ENGINE.environment(one).values())
    assert "/etc/llm/key" not in words


def test_a_server_for_embeddings_is_asked_for_one() -> None:
    probe = ENGINE.token(launch("llama-server", args=("--embeddings",)))
    assert probe.url.endswith("/v1/embeddings")
    assert probe.token_at == ("usage.prompt_tokens",)


def test_a_model_that_is_no_file_is_refused() -> None:
    (problem,) = ENGINE.problems(launch("llama-server", models=("org/model",)))
    assert problem.rule == "model-not-a-file"
    assert not ENGINE.problems(launch("llama-server"))
    assert ENGINE.problems(launch("llama-server", models=("/a.gguf", "/b.gguf")))


def test_the_owner_env_is_kept() -> None:
    found = ENGINE.environment(launch("llama-server", env={"GGML_CUDA_P2P": "1"}))
    assert found["GGML_CUDA_P2P"] == "1"
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    ("version", "layers", "split"),
    [
        ("11434", "21", "12,9"),
        ("b7885", "21", "12,9"),
        ("7000", "20", "12,8"),
        (None, "20", "12,8"),
    ],
)
def test_layers_in_ram_with_and_without_the_head_counted(
    version: str | None, layers: str, split: str
) -> None:
    one = launch("llama-server", 2, gpu_layers=20, stage_layers=(12, 8), version=version)
    command = ENGINE.command(one)
    assert option(command, "--n-gpu-layers") == layers
    assert option(command, "--tensor-split") == split


@pytest.mark.parametrize("version", ["11434", "7000", None])
def test_with_every_layer_on_gpus_the_head_is_on_the_last(version: str | None) -> None:
    command = ENGINE.command(launch("llama-server", 2, stage_layers=(36, 44), version=version))
    assert option(command, "--n-gpu-layers") == "999"
    assert option(command, "--split-mode") == "layer"
    assert option(command, "--tensor-split") == "36,45"


def test_one_gpu_is_not_split() -> None:
    command = ENGINE.command(launch("llama-server", stage_layers=(32,)))
    assert not {"--split-mode", "--tensor-split"} & set(command)
    assert "--tensor-split" not in ENGINE.command(launch("llama-server", 2))


def test_no_layer_on_gpus_takes_not_even_the_head() -> None:
    one = launch("llama-server", gpu_layers=0, version="11434")
    assert option(ENGINE.command(one), "--n-gpu-layers") == "0"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "--cache-type-k q8_0 --cache-type-v q8_0 --flash-attn on --metrics"),
        ({"version": "6000"}, "--cache-type-k q8_0 --cache-type-v q8_0 --flash-attn --metrics"),
        ({"args": ("-fa", "auto")}, "--cache-type-k q8_0 --cache-type-v q8_0 --metrics -fa auto"),
    ],
)
def test_a_quantised_cache_has_flash_attention(changes: dict[str, Any], words: str) -> None:
    one = launch("llama-server", kv_cache="q8_0", **changes)
    assert " ".join(ENGINE.command(one)).endswith(words)


def test_f16_is_what_it_takes_by_itself() -> None:
    command = ENGINE.command(launch("llama-server", kv_cache="f16"))
    assert not {"--cache-type-k", "--flash-attn"} & set(command)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "11434"}, "--n-gpu-layers-draft 999 --spec-type draft-simple --metrics"),
        ({"version": "9106"}, "--n-gpu-layers-draft 999 --metrics"),
        ({"gpus": 0, "version": "9134"}, "--n-gpu-layers-draft 0 --spec-type draft-simple"),
        (
            {"version": "11434", "args": ("--spec-type", "draft-mtp")},
            "--n-gpu-layers-draft 999 --metrics --spec-type draft-mtp",
        ),
    ],
)
def test_a_draft_model(changes: dict[str, Any], words: str) -> None:
    one = launch("llama-server", draft_model="/srv/small.gguf", **changes)
    assert f"--model-draft /srv/small.gguf {words}" in " ".join(ENGINE.command(one))
    assert ENGINE.requires(one) == ("/srv/m.gguf", "/srv/small.gguf")
    assert ENGINE.problems(one) == ()


def test_a_draft_model_of_an_unknown_build_may_idle() -> None:
    (problem,) = ENGINE.problems(launch("llama-server", draft_model="/srv/small.gguf"))
    assert (problem.rule, problem.severity) == ("draft-may-idle", "warning")
    args = ("--spec-type", "draft-simple")
    assert not ENGINE.problems(launch("llama-server", draft_model="/srv/small.gguf", args=args))
