"""What the plan owns of vLLM's options and variables -> the key of host.yaml for it."""

from __future__ import annotations

from .start import shared_variables

OWNED_OPTIONS = {
    "--model": "model",
    "--host": "nothing: instances listen on loopback, the proxy in front",
    "--port": "port",
    "--uds": "port",
    "--tensor-parallel-size": "tensor_parallel_size",
    "-tp": "tensor_parallel_size",
    "--pipeline-parallel-size": "pipeline_parallel_size",
    "-pp": "pipeline_parallel_size",
    "--data-parallel-size": "replicas",
    "-dp": "replicas",
    "--data-parallel-size-local": "replicas",
    "-dpl": "replicas",
    "--max-model-len": "context",
    "--max-num-seqs": "parallel",
    "--gpu-memory-utilization": "memory_utilization",
    "--kv-cache-memory-bytes": "memory_utilization",
    "--kv-cache-dtype": "kv_cache",
    "--enable-expert-parallel": "expert_parallel",
    "-ep": "expert_parallel",
    "--speculative-config": "draft_model",
    "--device-ids": "gpus",
    "--numa-bind": "numa",
    "--numa-bind-nodes": "numa",
    "--numa-bind-cpus": "numa",
    "--shutdown-timeout": "nothing: it follows from the unit's stop time-out",
    "--api-key": "secrets: {VLLM_API_KEY: {file: ...}}",
    "--hf-token": "secrets: {HF_TOKEN: {file: ...}}",
}

OWNED_VARIABLES = shared_variables(
    {
        "VLLM_PORT": "nothing: the base of internal ports, not the API's",
        "VLLM_API_KEY": "secrets: {VLLM_API_KEY: {file: ...}}",
        "VLLM_PP_LAYER_PARTITION": "gpus",
        "VLLM_CACHE_ROOT": "nothing: a folder of its own for each instance",
        "VLLM_WORKER_MULTIPROC_METHOD": "numa",
        "TRITON_CACHE_DIR": "nothing: a folder of its own for each instance",
        "HF_HOME": "models_dir",
        "HF_TOKEN": "secrets: {HF_TOKEN: {file: ...}}",
        "OMP_NUM_THREADS": "numa",
        "VLLM_CPU_OMP_THREADS_BIND": "numa",
        "HOME": "nothing: it is the state directory",
    }
)
