"""Specs without a fault that the tests of this folder start from."""

from __future__ import annotations

SMALLEST = """\
version: 1
instances:
  chat:
    engine: ollama
    model: llama3.1:8b
"""

UUID = "GPU-8d4a3e5c-2f1b-7a90-1234-123456789abc"

EVERYTHING = f"""\
# every key, in the forms that it takes
version: 1
takeover: true
optimize: throughput
reserved_gpus: [0000:e1:00.0, MIG-4c60d78c-506f-5593-938d-a136eaa1fa52]
instances:
  chat:
    engine: vllm
    model: meta-llama/Llama-3.3-70B-Instruct-AWQ
    gpus: [0000:17:00.0, {UUID}, "00000000:65:00.0", 10000:01:00.0]
    tensor_parallel_size: 2
    pipeline_parallel_size: 2
    context: 8192
    parallel: 64
    memory_utilization: 0.92
    optimize: latency
    kv_cache: fp8
    draft_model: meta-llama/Llama-3.2-1B-Instruct
    expert_parallel: false
    venv: /opt/vllm
    models_dir: /srv/hf
    port: 8000
    env:
      NCCL_DEBUG: INFO
      CUDA_HOME: /usr/local/cuda
      TOKENIZERS_PARALLELISM: false
      OMP_NUM_THREADS: 8
      VERSION: 1.10
      MODE: 0644
      EMPTY: ""
      SECONDS: 12:30:45
      ANSWER: no
    args: [--max-num-batched-tokens, 8192, --revision, 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b]
    numa: {{nodes: [0, 1], memory: bind}}
    pin: numactl
    secrets:
      VLLM_API_KEY: {{file: /etc/llm/key}}
  chat-2:
    engine: vllm
    model: meta-llama/Llama-3.3-70B-Instruct-AWQ
    gpus: {{model: "3090", node: 1, count: 4}}
    replicas: auto
    memory: {{weights_gib: 37.1, kv_cache_gib: 8, layers: 80, heads: 64}}
    binary: /usr/local/bin/vllm
  small:
    engine: ollama
    models: [llama3.1:8b, hf.co/bartowski/Llama-3.2-1B-GGUF:Q4_K_M]
    replicas: per-gpu
    numa: auto
  tiny:
    engine: llama-server
    model: /srv/models/tiny model.gguf
    gpus: 0
    replicas: 3
    numa: [1]
  spare:
    engine: llama-server
    model: /srv/models/spare.gguf
    numa: off
    kv_cache: q8_0
    draft_model: /srv/models/draft.gguf
    cpu_offload: true
  half:
    engine: ollama
    model: qwen3:4b
    gpus: [MIG-9d1f5a3e-1111-2222-3333-444455556666]
    share_gpus: true
    memory: {{weights_gib: 3}}
gpu_settings:
  persistence: true
  power_limit_watts:
    - {{gpus: [{UUID}], watts: 250}}
    - {{gpus: {{model: H100}}, watts: 600}}
  power_supply_watts: 3000
  device_order: PCI_BUS_ID
proxy:
  listen: "[2001:db8::10]:8080"
  max_body_mib: 16
  timeouts: {{connect_seconds: 2, read_seconds: 600, send_seconds: 30}}
  keys: {{file: /etc/llm/keys}}
  allow: [10.0.0.0/8, 192.0.2.7, "2001:db8::/32"]
  upstreams:
    - path: /
      instances: {{chat: 3, chat-2: 1}}
    - path: /small
      instances: [small]
    - port: 8081
      instances: [tiny]
"""
