from __future__ import annotations

import json

import pytest

from provision.engines.launch import Pin
from provision.engines.vllm import Vllm, knows_numa_bind
from provision.host.bundle import SecretReference
from provision.host.quantity import CpuSet

from .launches import launch, option

ENGINE = Vllm()


def test_whole_command() -> None:
    one = launch(
        "vllm",
        2,
        tensor_parallel_size=2,
        context=8192,
        parallel=64,
        memory_utilization=0.85,
        version="0.33.0",
        args=("--enforce-eager",),
    )
    assert " ".join(ENGINE.command(one)) == (
        "/opt/vllm/bin/vllm serve org/model --host 127.0.0.1 --port 9000 "
        "--tensor-parallel-size 2 --pipeline-parallel-size 1 --max-model-len 8192 "
        "--max-num-seqs 64 --gpu-memory-utilization 0.85 --shutdown-timeout 30 --enforce-eager"
    )


def test_memory_utilization_is_always_explicit() -> None:
    assert option(ENGINE.command(launch("vllm")), "--gpu-memory-utilization") == "0.9"


@pytest.mark.parametrize(
    ("version", "has"),
    [("0.17.1", False), ("0.18.0", True), ("0.33.0+cu130", True), (None, False), ("dev", False)],
)
def test_shutdown_timeout_only_where_it_is_known(version: str | None, has: bool) -> None:
    command = ENGINE.command(launch("vllm", version=version))
    assert ("--shutdown-timeout" in command) is has


def test_workers_are_bound_one_node_a_gpu() -> None:
    pin = Pin("systemd", (0, 1), CpuSet.parse("0-31"), None, per_worker=True)
    one = launch("vllm", 2, pin=pin, threads=16, version="0.33.0", args=("--seed", "1"))
    command = " ".join(ENGINE.command(one))
    assert "--numa-bind --numa-bind-nodes 0 1 --seed 1" in command
    found = ENGINE.environment(one)
    assert found["VLLM_WORKER_MULTIPROC_METHOD"] == "spawn"
    assert found["OMP_NUM_THREADS"] == "8"


def test_without_per_worker_nothing_is_bound() -> None:
    pin = Pin("systemd", (0, 1), CpuSet.parse("0-31"), None)
    one = launch("vllm", 2, pin=pin, version="0.10.0")
    assert "--numa-bind" not in ENGINE.command(one)
    assert "VLLM_WORKER_MULTIPROC_METHOD" not in ENGINE.environment(one)


@pytest.mark.parametrize(("version", "knows"), [("0.33.0", True), ("0.11.2", False), (None, False)])
def test_which_versions_bind(version: str | None, knows: bool) -> None:
    assert knows_numa_bind(version) is knows


def test_environment() -> None:
    found = ENGINE.environment(launch("vllm", internal_ports=(20016, 20017)))
    assert found == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "HF_HOME": "/var/lib/vllm/huggingface",
        "HOME": "/var/lib/vllm",
        "NO_COLOR": "1",
        "TRITON_CACHE_DIR": "/var/cache/vllm/chat.0/triton",
        "VLLM_CACHE_ROOT": "/var/cache/vllm/chat.0",
        "VLLM_ENGINE_READY_TIMEOUT_S": "3600",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_PORT": "20016",
    }


def test_devices_are_left_to_guard() -> None:
    assert ENGINE.visible_devices_variable(launch("vllm")) == "CUDA_VISIBLE_DEVICES"
    assert ENGINE.visible_devices_variable(launch("vllm", 0)) is None
    assert ENGINE.visible_devices_variable(launch("vllm", vendor="amd")) == "HIP_VISIBLE_DEVICES"
    assert "CUDA_VISIBLE_DEVICES" not in ENGINE.environment(launch("vllm", 2))


def test_on_the_cpu() -> None:
    pin = Pin("systemd", (0,), CpuSet.parse("0-7"), "preferred")
    one = launch("vllm", 0, pin=pin, threads=8)
    assert "--gpu-memory-utilization" not in ENGINE.command(one)
    assert ENGINE.environment(one)["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert [found.severity for found in ENGINE.problems(one)] == ["warning"]


@pytest.mark.parametrize(
    ("args", "served"),
    [
        ((), "org/model"),
        (("--served-model-name", "a", "b"), "a"),
        (("--served_model_name=x",), "x"),
    ],
)
def test_token_asks_for_the_served_name(args: tuple[str, ...], served: str) -> None:
    key = SecretReference("/etc/llm/key")
    probe = ENGINE.token(launch("vllm", args=args, secrets={"VLLM_API_KEY": key}))
    assert json.loads(probe.body or "")["model"] == served
    assert probe.bearer == key
    assert probe.url.endswith("/v1/completions")


def test_a_pooling_model_is_asked_for_an_embedding() -> None:
    probe = ENGINE.token(launch("vllm", args=("--runner", "pooling")))
    assert probe.url.endswith("/v1/embeddings")


def test_removed_options_are_warned_about_with_the_version() -> None:
    one = launch("vllm", args=("--swap-space=4", "--seed", "1"), version="0.33.0")
    (problem,) = ENGINE.problems(one)
    assert problem.severity == "warning"
    assert "--swap-space" in problem.message and "0.33.0" in problem.message


def test_only_a_path_is_required() -> None:
    assert ENGINE.requires(launch("vllm")) == ()
    assert ENGINE.requires(launch("vllm", models=("/srv/llama",))) == ("/srv/llama",)


def test_what_else_lies_on_the_gpus() -> None:
    one = launch("vllm", kv_cache="fp8", expert_parallel=True, draft_model="org/small")
    command = ENGINE.command(one)
    assert option(command, "--kv-cache-dtype") == "fp8"
    assert "--enable-expert-parallel" in command
    draft = json.loads(option(command, "--speculative-config") or "")
    assert draft == {"model": "org/small", "num_speculative_tokens": 5}
    plain = ENGINE.command(launch("vllm", kv_cache="f16"))
    assert not {"--kv-cache-dtype", "--enable-expert-parallel", "--speculative-config"} & set(plain)


def test_a_draft_model_in_a_folder_is_required() -> None:
    assert ENGINE.requires(launch("vllm", draft_model="/srv/small")) == ("/srv/small",)
    assert ENGINE.requires(launch("vllm", draft_model="org/small")) == ()


def test_stages_of_uneven_layers() -> None:
    found = ENGINE.environment(launch("vllm", 2, pipeline_parallel_size=2, stage_layers=(20, 60)))
    assert found["VLLM_PP_LAYER_PARTITION"] == "20,60"
    one = ENGINE.environment(launch("vllm", 2, tensor_parallel_size=2, stage_layers=(80,)))
    assert "VLLM_PP_LAYER_PARTITION" not in one
