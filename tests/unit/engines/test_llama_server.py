from __future__ import annotations

import json

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


@pytest.mark.parametrize(
    "given", [("-ngl", "20"), ("--n-gpu-layers=20",), ("--n_gpu_layers", "20")]
)
def test_the_owner_may_keep_layers_on_the_cpu(given: tuple[str, ...]) -> None:
    command = ENGINE.command(launch("llama-server", args=given))
    assert "999" not in command
    assert command[-len(given) :] == given


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
