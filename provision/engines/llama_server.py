"""llama-server of llama.cpp: one .gguf file, a HTTP server that is up before the model is."""

from __future__ import annotations

from collections.abc import Mapping

from provision.host.bundle import Drain, Probe
from provision.host.errors import Diagnostic

from .launch import EngineName, Launch
from .options import has_option
from .start import merged, one_model, pinned, post, shared_variables, uuid_devices
from .start import url as url_of

_EVERY_LAYER = "999"  # `all` is known to newer builds only; a number above any model's to all
_EMBEDDINGS = ("--embedding", "--embeddings")
_GPU_LAYERS = ("-ngl", "--gpu-layers", "--n-gpu-layers")

_OWNED = {
    "--model": "model",
    "-m": "model",
    "--model-url": "model",
    "-mu": "model",
    "--hf-repo": "model",
    "-hf": "model",
    "-hfr": "model",
    "--hf-file": "model",
    "-hff": "model",
    "--models-dir": "model",
    "--models-preset": "model",
    "--host": "nothing: instances listen on loopback, the proxy in front",
    "--port": "port",
    "--reuse-port": "port",
    "--ctx-size": "context",
    "-c": "context",
    "--parallel": "parallel",
    "-np": "parallel",
    "--threads": "numa",
    "-t": "numa",
    "--threads-batch": "numa",
    "-tb": "numa",
    "--numa": "numa",
    "--cpu-mask": "numa",
    "-C": "numa",
    "--cpu-range": "numa",
    "-Cr": "numa",
    "--device": "gpus",
    "-dev": "gpus",
    "--api-key": "secrets: {LLAMA_API_KEY: {file: ...}}",
    "--api-key-file": "secrets: {LLAMA_API_KEY: {file: ...}}",
    "--api-prefix": "proxy.upstreams.path",
    "--hf-token": "secrets: {HF_TOKEN: {file: ...}}",
    "-hft": "secrets: {HF_TOKEN: {file: ...}}",
    "--metrics": "nothing: it is always on",
}

_OWNED_VARIABLES = shared_variables(
    {
        "LLAMA_ARG_MODEL": "model",
        "LLAMA_ARG_MODEL_URL": "model",
        "LLAMA_ARG_HF_REPO": "model",
        "LLAMA_ARG_HF_FILE": "model",
        "LLAMA_ARG_HOST": "nothing: instances listen on loopback, the proxy in front",
        "LLAMA_ARG_PORT": "port",
        "AIP_HTTP_PORT": "port",  # Vertex's variable beats --port (server.cpp)
        "LLAMA_ARG_CTX_SIZE": "context",
        "LLAMA_ARG_N_PARALLEL": "parallel",
        "LLAMA_ARG_THREADS": "numa",
        "LLAMA_ARG_THREADS_BATCH": "numa",
        "LLAMA_ARG_NUMA": "numa",
        "LLAMA_ARG_DEVICE": "gpus",
        "LLAMA_ARG_API_PREFIX": "proxy.upstreams.path",
        "LLAMA_API_KEY": "secrets: {LLAMA_API_KEY: {file: ...}}",
        "LLAMA_ARG_API_KEY_FILE": "secrets: {LLAMA_API_KEY: {file: ...}}",
        "HF_TOKEN": "secrets: {HF_TOKEN: {file: ...}}",
        "HOME": "nothing: it is the state directory",
    }
)


class LlamaServer:
    """llama.cpp's server. Options read from its tools/server/README.md at build b11434."""

    name: EngineName = "llama-server"
    user = "llama-server"
    default_port = 8080
    keepalive_timeout_seconds = 4  # cpp-httplib closes idle connections after 5 s
    owned_options: Mapping[str, str] = _OWNED
    owned_variables: Mapping[str, str] = _OWNED_VARIABLES
    inference_paths = (
        "/apply-template",
        "/chat/completions",
        "/completion",
        "/completions",
        "/detokenize",
        "/embedding",
        "/embeddings",
        "/infill",
        "/rerank",
        "/reranking",
        "/tokenize",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/models",
        "/v1/rerank",
        "/v1/reranking",
        "/v1/responses",
    )

    def problems(self, launch: Launch) -> tuple[Diagnostic, ...]:
        """Exactly one model, and that a file: without one the server turns into a router."""
        found = list(one_model(launch))
        for model in launch.models:
            if not model.startswith("/"):
                found.append(
                    Diagnostic(
                        "model-not-a-file",
                        f"{launch.group}: model is {model}, llama-server needs the absolute path "
                        "of a .gguf file",
                        hint="for example /srv/models/NAME.gguf",
                    )
                )
        return tuple(found)

    def command(self, launch: Launch) -> tuple[str, ...]:
        """-c is the total over all slots, so the context of one request times `parallel`.

        No --numa: with any of its values ggml gives its main threads every CPU of the machine after
        each graph, so that a pin without a cpuset (numactl, cgroup v1) does not last; seen with
        build 11549. Without it every thread keeps the affinity it was started with.
        """
        words = [launch.program, "--model", launch.models[0]]
        words += ["--host", "127.0.0.1", "--port", str(launch.port)]
        if launch.context is not None:
            words += ["--ctx-size", str(launch.context * (launch.parallel or 1))]
        if launch.parallel is not None:
            words += ["--parallel", str(launch.parallel)]
        if launch.threads is not None:
            words += ["--threads", str(launch.threads), "--threads-batch", str(launch.threads)]
        if not has_option(launch.args, *_GPU_LAYERS):
            words += ["--n-gpu-layers", _EVERY_LAYER if launch.gpus else "0"]
        words.append("--metrics")
        return pinned(launch, (*words, *launch.args))

    def environment(self, launch: Launch) -> dict[str, str]:
        return merged(launch, {**uuid_devices(launch), "HOME": "/var/lib/llama-server"})

    def visible_devices_variable(self, launch: Launch) -> str | None:  # noqa: ARG002 - protocol
        """None: full UUIDs are rendered."""
        return None

    def ready(self, launch: Launch) -> Probe:
        """503 "Loading model" until the model is there."""
        return Probe(url=url_of(launch, "/health"), body_has='"ok"', timeout_seconds=5.0)

    def token(self, launch: Launch) -> Probe:
        """A plain completion; a server for embeddings generates nothing and is asked for one."""
        key = launch.secrets.get("LLAMA_API_KEY")
        if has_option(launch.args, *_EMBEDDINGS):
            asked = {"model": "default", "input": "Hi"}
            return post(launch, "/v1/embeddings", asked, ("usage.prompt_tokens",), key)
        body = {"model": "default", "prompt": "Hi", "max_tokens": 1, "temperature": 0}
        paths = ("usage.completion_tokens", "choices.0.text")
        return post(launch, "/v1/completions", body, paths, key)

    def drain(self, launch: Launch) -> Drain:
        idle = Probe(
            url=url_of(launch, "/metrics"),
            timeout_seconds=5.0,
            bearer=launch.secrets.get("LLAMA_API_KEY"),
        )
        return Drain(idle=idle, metric="llamacpp:requests_processing")

    def requires(self, launch: Launch) -> tuple[str, ...]:
        return tuple(model for model in launch.models if model.startswith("/"))

    def process(self, launch: Launch) -> str:
        return launch.program

    def writable(self, launch: Launch) -> tuple[str, ...]:  # noqa: ARG002 - protocol
        """Nothing: the model file is only read."""
        return ()
