from __future__ import annotations

import json

from provision.engines.launch import Pin
from provision.engines.ollama import Ollama
from provision.host.quantity import CpuSet

from .launches import UUIDS, launch

ENGINE = Ollama()


def test_whole_environment_on_one_gpu() -> None:
    assert ENGINE.environment(launch("ollama")) == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": UUIDS[0],
        "HOME": "/var/lib/ollama",
        "LLAMA_ARG_FIT_TARGET": "256",
        "OLLAMA_CONTEXT_LENGTH": "8192",
        "OLLAMA_HOST": "127.0.0.1:9000",
        "OLLAMA_KEEP_ALIVE": "-1",
        "OLLAMA_MAX_LOADED_MODELS": "1",
        "OLLAMA_MODELS": "/var/lib/ollama/models",
        "OLLAMA_NOPRUNE": "1",
        "OLLAMA_NO_CLOUD": "1",
        "OLLAMA_VULKAN": "0",
    }


def test_several_gpus_models_and_threads() -> None:
    pin = Pin("systemd", (0, 1), CpuSet.parse("0-15"))
    models = ("llama3.1:8b", "qwen2.5:7b")
    found = ENGINE.environment(
        launch("ollama", 2, models=models, parallel=4, context=4096, pin=pin, threads=8)
    )
    assert found["CUDA_VISIBLE_DEVICES"] == ",".join(UUIDS)
    assert found["OLLAMA_SCHED_SPREAD"] == "1"
    assert found["OLLAMA_MAX_LOADED_MODELS"] == "2"
    assert found["OLLAMA_NUM_PARALLEL"] == "4"
    assert found["OLLAMA_CONTEXT_LENGTH"] == "4096"
    assert found["LLAMA_ARG_THREADS"] == "8"


def test_cpu_only_hides_every_gpu() -> None:
    found = ENGINE.environment(launch("ollama", 0))
    assert found["CUDA_VISIBLE_DEVICES"] == found["ROCR_VISIBLE_DEVICES"] == "-1"
    assert "OLLAMA_SCHED_SPREAD" not in found
    assert "LLAMA_ARG_FIT_TARGET" not in found


def test_the_owner_changes_wishes_but_not_what_is_owned() -> None:
    env = {"OLLAMA_KEEP_ALIVE": "30m", "OLLAMA_FLASH_ATTENTION": "1", "OLLAMA_HOST": "0.0.0.0"}
    found = ENGINE.environment(launch("ollama", env=env))
    assert found["OLLAMA_KEEP_ALIVE"] == "30m"
    assert found["OLLAMA_FLASH_ATTENTION"] == "1"
    assert found["OLLAMA_HOST"] == "127.0.0.1:9000"


def test_command_and_its_only_options() -> None:
    assert ENGINE.command(launch("ollama")) == ("/usr/local/bin/ollama", "serve")
    (problem,) = ENGINE.problems(launch("ollama", args=("--verbose",)))
    assert (problem.rule, problem.severity) == ("no-options", "error")
    assert "--verbose" in problem.message


def test_token_from_the_first_model_with_a_local_host() -> None:
    probe = ENGINE.token(launch("ollama", models=("a:1", "b:2")))
    body = json.loads(probe.body or "")
    assert (body["model"], body["options"]["num_predict"], body["stream"]) == ("a:1", 1, False)
    assert "num_ctx" not in body["options"]  # another context would load the model a second time
    assert probe.headers["Host"] == "localhost"
    assert "eval_count" in probe.token_at


def test_manifests_are_required_in_the_folder_that_is_served() -> None:
    one = launch("ollama", models=("llama3.1:8b", "hf.co/u/m:Q4_K_M"), models_dir="/srv/models/")
    assert ENGINE.requires(one) == (
        "/srv/models/manifests/registry.ollama.ai/library/llama3.1/8b",
        "/srv/models/manifests/hf.co/u/m/Q4_K_M",
    )
    assert ENGINE.writable(one) == ("/srv/models/",)
    assert ENGINE.writable(launch("ollama")) == ()


def test_a_quantised_cache_has_flash_attention() -> None:
    found = ENGINE.environment(launch("ollama", kv_cache="q4_0"))
    assert found["OLLAMA_KV_CACHE_TYPE"] == "q4_0"
    assert found["OLLAMA_FLASH_ATTENTION"] == "1"
    plain = ENGINE.environment(launch("ollama", kv_cache="f16"))
    assert not {"OLLAMA_KV_CACHE_TYPE", "OLLAMA_FLASH_ATTENTION"} & set(plain)


def test_layers_reach_the_child_by_its_variables() -> None:
    found = ENGINE.environment(launch("ollama", 2, gpu_layers=20, stage_layers=(12, 8)))
    assert found["LLAMA_ARG_N_GPU_LAYERS"] == "21"  # the output head is the first of them
    assert found["LLAMA_ARG_TENSOR_SPLIT"] == "12,9"
    whole = ENGINE.environment(launch("ollama", 2, stage_layers=(36, 44)))
    assert whole["LLAMA_ARG_TENSOR_SPLIT"] == "36,45"
    assert "LLAMA_ARG_N_GPU_LAYERS" not in whole


def test_layers_of_several_models_are_left_to_ollama() -> None:
    one = launch("ollama", 2, models=("a", "b"), gpu_layers=20, stage_layers=(12, 8))
    found = [name for name in ENGINE.environment(one) if name.startswith("LLAMA_ARG")]
    assert found == ["LLAMA_ARG_FIT_TARGET"]
    on_cpu = launch("ollama", 0, gpu_layers=0)
    assert "LLAMA_ARG_N_GPU_LAYERS" not in ENGINE.environment(on_cpu)
