"""vLLM: `vllm serve MODEL` from a virtual environment, tensor and pipeline parallel."""

from __future__ import annotations

import json
from collections.abc import Mapping

from provision.host.bundle import Drain, Probe
from provision.host.errors import Diagnostic

from .launch import EngineName, Launch
from .options import has_option, named_options, option_value, option_values
from .start import DEVICE_ORDER, is_slice, merged, one_model, pinned, post, slices_alone
from .start import url as url_of
from .versions import at_least, numbers
from .vllm_owned import OWNED_OPTIONS, OWNED_VARIABLES

STATE = "/var/lib/vllm"
CACHE = "/var/cache/vllm"
DEFAULT_MEMORY_UTILIZATION = 0.90  # vLLM's own was 0.9 for years and is 0.92 since: always explicit
DRAIN_SECONDS = 30
# A wait for the engine core that a large model on a slow disk outlasts; vLLM's own is 600 s.
_READY_TIMEOUT_SECONDS = 3600

_SHUTDOWN_TIMEOUT_SINCE = (0, 18, 0)  # vllm-project/vllm#36666
_NUMA_BIND_SINCE = (0, 22)  # #38635; the oldest release whose documentation holds it
# Up to 0.22.0 every entry of CUDA_VISIBLE_DEVICES was put through int(): ValueError, said as
# "Model architectures failed to be inspected" (vllm#20939, #41848 with 0.20.1, #46132 with 0.10.0).
# 0.24.0 and 0.25.1 resolve UUIDs through NVML (read and run by others: noonghunna/club-3090#750).
_UUIDS_SINCE = (0, 24)
DRAFT_TOKENS = 5  # that the draft model guesses at a time, as in vLLM's own examples
# Measured with the parser of 0.32: exit 2.
_GONE_SINCE = "0.32"
_GONE = {
    "--swap-space": "leave it out",
    "--enable-reasoning": "use --reasoning-parser alone",
    "--disable-log-requests": "leave it out: requests are logged only with --enable-log-requests",
    "--task": "use --runner or --convert",
}


def knows_numa_bind(version: str | None) -> bool:
    """Whether this vLLM is known to bind each of its workers to a node itself."""
    return at_least(version, _NUMA_BIND_SINCE)


class Vllm:
    """Options read from vLLM 0.33.0; all rendered ones but the gated are older than 0.6."""

    name: EngineName = "vllm"
    user = "vllm"
    default_port = 8000
    keepalive_timeout_seconds = 4  # uvicorn closes idle connections after 5 s
    owned_options: Mapping[str, str] = OWNED_OPTIONS
    owned_variables: Mapping[str, str] = OWNED_VARIABLES
    # Its key guards /v1 only, so nothing else is let through.
    inference_paths = (
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/models",
        "/v1/rerank",
        "/v1/responses",
        "/v1/responses/",
        "/v1/score",
    )

    def problems(self, launch: Launch) -> tuple[Diagnostic, ...]:
        found = [*one_model(launch), *slices_alone(launch), *_crash_on_slice(launch)]
        for model in launch.models:
            if model.startswith("-") or not model.strip():
                message = (
                    f"{launch.group}: model is {model!r}, expected a Hugging Face id or a path"
                )
                found.append(Diagnostic("bad-model", message))
        version = launch.version or "of an unknown version"
        for _, option in named_options(launch.args):
            if option in _GONE:
                found.append(
                    Diagnostic(
                        "option-gone",
                        f"{launch.group}: {option} is not known to vLLM {_GONE_SINCE} and later, "
                        f"which would not start; found is vLLM {version}",
                        hint=_GONE[option],
                        severity="warning",
                    )
                )
        if not launch.gpus:
            found.append(
                Diagnostic(
                    "vllm-on-cpu",
                    f"{launch.group}: gpus is 0, which only vLLM's build for CPUs can serve",
                    hint="give it a GPU, or use llama-server on CPUs",
                    severity="warning",
                )
            )
        return tuple(found)

    def command(self, launch: Launch) -> tuple[str, ...]:
        """The model comes first: options with several values would swallow it."""
        words = [launch.program, "serve", launch.models[0]]
        words += ["--host", "127.0.0.1", "--port", str(launch.port)]
        words += ["--tensor-parallel-size", str(launch.tensor_parallel_size)]
        words += ["--pipeline-parallel-size", str(launch.pipeline_parallel_size)]
        if launch.context is not None:
            words += ["--max-model-len", str(launch.context)]
        if launch.parallel is not None:
            words += ["--max-num-seqs", str(launch.parallel)]
        if launch.gpus or launch.memory_utilization is not None:
            share = launch.memory_utilization or DEFAULT_MEMORY_UTILIZATION
            words += ["--gpu-memory-utilization", f"{share:.4g}"]
        words += _memory_options(launch)
        if at_least(launch.version, _SHUTDOWN_TIMEOUT_SINCE):
            words += ["--shutdown-timeout", str(DRAIN_SECONDS)]
        if launch.pin.per_worker:
            nodes = [str(gpu.numa_node) for gpu in launch.gpus]
            words += ["--numa-bind", "--numa-bind-nodes", *nodes]
        return pinned(launch, (*words, *launch.args))

    def environment(self, launch: Launch) -> dict[str, str]:
        cache = f"{CACHE}/{launch.name}"
        own = {
            "CUDA_DEVICE_ORDER": DEVICE_ORDER,
            "HF_HOME": launch.models_dir or f"{STATE}/huggingface",
            "HOME": STATE,
            "TRITON_CACHE_DIR": f"{cache}/triton",
            "VLLM_CACHE_ROOT": cache,
        }
        if launch.internal_ports:
            # two instances that search from the same base race for torch's port (vllm#43206)
            own["VLLM_PORT"] = str(launch.internal_ports[0])
        if launch.threads is not None:
            workers = max(1, len(launch.gpus))
            own["OMP_NUM_THREADS"] = str(max(1, launch.threads // workers))
        if launch.pipeline_parallel_size > 1 and launch.stage_layers:
            own["VLLM_PP_LAYER_PARTITION"] = ",".join(map(str, launch.stage_layers))
        if _on_slice(launch):
            own["CUDA_VISIBLE_DEVICES"] = launch.gpus[0].uuid
        if launch.pin.per_worker:
            own["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"  # binding has no effect after fork
        if not launch.gpus and launch.pin.form != "none":
            own["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"  # its own binding would fight the unit's
        wishes = {
            "NO_COLOR": "1",
            "VLLM_ENGINE_READY_TIMEOUT_S": str(_READY_TIMEOUT_SECONDS),
            "VLLM_NO_USAGE_STATS": "1",
        }
        return merged(launch, {**wishes, **launch.env, **own})

    def visible_devices_variable(self, launch: Launch) -> str | None:
        """Guard sets indices: several versions crash on UUIDs (vllm#20939, #41848).

        No index names a MIG slice, so its UUID stands in the environment.
        """
        if not launch.gpus or _on_slice(launch):
            return None
        return "HIP_VISIBLE_DEVICES" if launch.gpus[0].vendor == "amd" else "CUDA_VISIBLE_DEVICES"

    def ready(self, launch: Launch) -> Probe:
        """The port refuses for minutes, then /health answers 200 with an empty body."""
        return Probe(url=url_of(launch, "/health"), timeout_seconds=5.0)

    def token(self, launch: Launch) -> Probe:
        """A plain completion: a chat would need the model to have a chat template."""
        served = option_value(launch.args, "--served-model-name") or launch.models[0]
        key = launch.secrets.get("VLLM_API_KEY")
        if self._pools(launch):
            body: dict[str, object] = {"model": served, "input": "Hi"}
            return post(launch, "/v1/embeddings", body, ("usage.prompt_tokens",), key)
        body = {"model": served, "prompt": "Hi", "max_tokens": 1, "temperature": 0}
        paths = ("usage.completion_tokens", "choices.0.text")
        return post(launch, "/v1/completions", body, paths, key)

    def _pools(self, launch: Launch) -> bool:
        """Whether the owner started it for embeddings, which generate nothing."""
        runner = option_value(launch.args, "--runner", "--task", "--convert")
        return runner in ("pooling", "embed", "embedding") and has_option(
            launch.args, "--runner", "--task", "--convert"
        )

    def drain(self, launch: Launch) -> Drain:
        idle = Probe(url=url_of(launch, "/metrics"), timeout_seconds=5.0)
        progress = ("vllm:generation_tokens_total", "vllm:prompt_tokens_total")
        return Drain(idle=idle, metric="vllm:num_requests_running", progress=progress)

    def served_names(self, launch: Launch) -> tuple[tuple[str, ...], ...]:
        """--served-model-name takes several names of one model and replaces its own.

        Adapters of --lora-modules are models of their own: NAME=PATH, or JSON with a name.
        """
        names = option_values(launch.args, "--served-model-name") or launch.models[:1]
        adapters = (_adapter(one) for one in option_values(launch.args, "--lora-modules"))
        return (tuple(names), *((one,) for one in adapters if one))

    def requires(self, launch: Launch) -> tuple[str, ...]:
        """A model given as a path; an id is downloaded to HF_HOME by vLLM itself."""
        models = (*launch.models, *((launch.draft_model,) if launch.draft_model else ()))
        return tuple(model for model in models if model.startswith("/"))

    def process(self, launch: Launch) -> str:
        return launch.program

    def writable(self, launch: Launch) -> tuple[str, ...]:
        return (launch.models_dir,) if launch.models_dir else ()


def _memory_options(launch: Launch) -> tuple[str, ...]:
    """What else decides what lies on the GPUs: type of the KV cache, experts, draft model."""
    words: list[str] = []
    if launch.kv_cache not in (None, "f16"):  # f16 is `auto`: the type that the model computes in
        words += ["--kv-cache-dtype", str(launch.kv_cache)]
    if launch.expert_parallel:
        words.append("--enable-expert-parallel")
    if launch.draft_model is not None:
        draft = {"model": launch.draft_model, "num_speculative_tokens": DRAFT_TOKENS}
        words += ["--speculative-config", json.dumps(draft, ensure_ascii=False)]
    return tuple(words)


def _adapter(text: str) -> str:
    """The name of an adapter; empty where none can be read."""
    if not text.startswith("{"):
        return text.partition("=")[0]
    try:
        name = json.loads(text).get("name")
    except ValueError:
        return ""
    return name if isinstance(name, str) else ""


def _on_slice(launch: Launch) -> bool:
    return any(is_slice(gpu) for gpu in launch.gpus)


def _crash_on_slice(launch: Launch) -> tuple[Diagnostic, ...]:
    """A warning about versions that do not start on a MIG slice."""
    if not _on_slice(launch) or at_least(launch.version, _UUIDS_SINCE):
        return ()
    known = numbers(launch.version) is not None
    found = f"found is vLLM {launch.version}" if known else "the version found is not known"
    return (
        Diagnostic(
            "vllm-on-slice",
            f"{launch.group}: vLLM up to 0.22 cannot be started on a MIG slice, since it takes no "
            f"UUID of a GPU; {found}",
            hint="use vLLM 0.24 or later",
            severity="warning",
        ),
    )
