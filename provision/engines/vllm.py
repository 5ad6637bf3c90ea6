"""vLLM: `vllm serve MODEL` from a virtual environment, tensor and pipeline parallel."""

from __future__ import annotations

from collections.abc import Mapping

from provision.host.bundle import Drain, Probe
from provision.host.errors import Diagnostic

from .launch import EngineName, Launch
from .options import has_option, named_options, option_value
from .start import DEVICE_ORDER, merged, one_model, pinned, post, shared_variables
from .start import url as url_of
from .versions import at_least

STATE = "/var/lib/vllm"
CACHE = "/var/cache/vllm"
DEFAULT_MEMORY_UTILIZATION = 0.90  # vLLM's own was 0.9 for years and is 0.92 since: always explicit
DRAIN_SECONDS = 30
# A wait for the engine core that a large model on a slow disk outlasts; vLLM's own is 600 s.
_READY_TIMEOUT_SECONDS = 3600

_SHUTDOWN_TIMEOUT_SINCE = (0, 18, 0)  # vllm-project/vllm#36666
_NUMA_BIND_SINCE = (0, 22)  # #38635; the oldest release whose documentation holds it
# Measured with the parser of 0.32: exit 2.
_GONE_SINCE = "0.32"
_GONE = {
    "--swap-space": "leave it out",
    "--enable-reasoning": "use --reasoning-parser alone",
    "--disable-log-requests": "leave it out: requests are logged only with --enable-log-requests",
    "--task": "use --runner or --convert",
}

_OWNED = {
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
    "--device-ids": "gpus",
    "--numa-bind": "numa",
    "--numa-bind-nodes": "numa",
    "--numa-bind-cpus": "numa",
    "--shutdown-timeout": "nothing: it follows from the unit's stop time-out",
    "--api-key": "secrets: {VLLM_API_KEY: {file: ...}}",
    "--hf-token": "secrets: {HF_TOKEN: {file: ...}}",
}

_OWNED_VARIABLES = shared_variables(
    {
        "VLLM_PORT": "nothing: the base of internal ports, not the API's",
        "VLLM_API_KEY": "secrets: {VLLM_API_KEY: {file: ...}}",
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


def knows_numa_bind(version: str | None) -> bool:
    """Whether this vLLM is known to bind each of its workers to a node itself."""
    return at_least(version, _NUMA_BIND_SINCE)


class Vllm:
    """Options read from vLLM 0.33.0; all rendered ones but the gated are older than 0.6."""

    name: EngineName = "vllm"
    user = "vllm"
    default_port = 8000
    keepalive_timeout_seconds = 4  # uvicorn closes idle connections after 5 s
    owned_options: Mapping[str, str] = _OWNED
    owned_variables: Mapping[str, str] = _OWNED_VARIABLES
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
        found = list(one_model(launch))
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
        """Guard sets indices: several versions crash on UUIDs (vllm#20939, #41848)."""
        if not launch.gpus:
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
        return Drain(idle=idle, metric="vllm:num_requests_running", patience_seconds=DRAIN_SECONDS)

    def requires(self, launch: Launch) -> tuple[str, ...]:
        """A model given as a path; an id is downloaded to HF_HOME by vLLM itself."""
        return tuple(model for model in launch.models if model.startswith("/"))

    def process(self, launch: Launch) -> str:
        return launch.program

    def writable(self, launch: Launch) -> tuple[str, ...]:
        return (launch.models_dir,) if launch.models_dir else ()
