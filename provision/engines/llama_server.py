"""llama-server of llama.cpp: one .gguf file, a HTTP server that is up before the model is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from provision.host.bundle import Drain, Probe
from provision.host.errors import Diagnostic

from .launch import EngineName, Launch
from .llama_layers import EVERY_LAYER, gpu_layers, head_comes_first, tensor_split
from .llama_owned import OWNED_OPTIONS, OWNED_VARIABLES
from .options import has_option, option_value
from .start import merged, one_model, pinned, post, slices_alone, uuid_devices
from .start import url as url_of
from .versions import at_least, numbers

_EMBEDDINGS = ("--embedding", "--embeddings")
_FLASH_ATTENTION = ("-fa", "--flash-attn")
_FLASH_ATTENTION_TAKES_A_WORD_SINCE = (6325,)  # #15434: on, off or auto; a bare switch before
_SPECULATION = ("--spec-type",)
_SPECULATION_IS_NAMED_SINCE = (9134,)  # #22964, between b9106 and b9134
_PART = re.compile(r"-\d{5}-of-\d{5}$")  # of a model in several files


class LlamaServer:
    """llama.cpp's server. Options read from its tools/server/README.md at build b11434."""

    name: EngineName = "llama-server"
    user = "llama-server"
    default_port = 8080
    keepalive_timeout_seconds = 4  # cpp-httplib closes idle connections after 5 s
    owned_options: Mapping[str, str] = OWNED_OPTIONS
    owned_variables: Mapping[str, str] = OWNED_VARIABLES
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
        found = [*one_model(launch), *slices_alone(launch), *_idle_draft(launch)]
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
        words += [*_layers(launch), *_kv_cache(launch), *_draft(launch)]
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
        # The token counters move only when a request ends, the decode counter with every batch.
        progress = ("llamacpp:n_decode_total", "llamacpp:prompt_tokens_total")
        return Drain(idle=idle, metric="llamacpp:requests_processing", progress=progress)

    def served_names(self, launch: Launch) -> tuple[tuple[str, ...], ...]:
        """Its alias if it has one, and its file by name and path: the server itself ignores what
        a request asks for.

        Builds of 2026 take several aliases between commas (common/arg.cpp).
        """
        path = launch.models[0]
        file = path.rpartition("/")[2]
        stem = _PART.sub("", file.removesuffix(".gguf"))
        given = option_value(launch.args, "-a", "--alias") or ""
        aliases = [one.strip() for one in given.split(",") if one.strip()]
        return (tuple(dict.fromkeys([*aliases, stem, file, path])),)

    def requires(self, launch: Launch) -> tuple[str, ...]:
        models = (*launch.models, *((launch.draft_model,) if launch.draft_model else ()))
        return tuple(model for model in models if model.startswith("/"))

    def process(self, launch: Launch) -> str:
        return launch.program

    def writable(self, launch: Launch) -> tuple[str, ...]:  # noqa: ARG002 - protocol
        """Nothing: the model file is only read."""
        return ()


def _layers(launch: Launch) -> tuple[str, ...]:
    """Which layers go to which GPU. The split is said even where it is the default."""
    head_first = head_comes_first(launch.version)
    words = ["--n-gpu-layers", gpu_layers(launch, head_first)]
    if len(launch.gpus) > 1:
        words += ["--split-mode", "layer"]
    split = tensor_split(launch, head_first)
    return (*words, *(("--tensor-split", split) if split else ()))


def _kv_cache(launch: Launch) -> tuple[str, ...]:
    """A quantised V cache works with flash attention only (src/llama-context.cpp)."""
    if launch.kv_cache in (None, "f16"):
        return ()
    words = ("--cache-type-k", str(launch.kv_cache), "--cache-type-v", str(launch.kv_cache))
    if has_option(launch.args, *_FLASH_ATTENTION):
        return words
    old = numbers(launch.version) is not None and not at_least(
        launch.version, _FLASH_ATTENTION_TAKES_A_WORD_SINCE
    )
    return (*words, "--flash-attn") if old else (*words, "--flash-attn", "on")


def _draft(launch: Launch) -> tuple[str, ...]:
    """The draft model, wholly on the GPUs where there are any.

    Since #22964 a draft model is loaded and never asked unless the kind of speculation is named
    (#25345); builds before do not know the word.
    """
    if launch.draft_model is None:
        return ()
    words = ["--model-draft", launch.draft_model]
    words += ["--n-gpu-layers-draft", EVERY_LAYER if launch.gpus else "0"]
    named = has_option(launch.args, *_SPECULATION)
    if not named and at_least(launch.version, _SPECULATION_IS_NAMED_SINCE):
        words += ["--spec-type", "draft-simple"]
    return tuple(words)


def _idle_draft(launch: Launch) -> tuple[Diagnostic, ...]:
    """A warning where it cannot be told whether the draft model would be asked."""
    if launch.draft_model is None or has_option(launch.args, *_SPECULATION):
        return ()
    if numbers(launch.version) is not None:
        return ()
    return (
        Diagnostic(
            "draft-may-idle",
            f"{launch.group}: the build of llama-server is not known; since build "
            f"{_SPECULATION_IS_NAMED_SINCE[0]} draft_model is used only with --spec-type",
            hint="for such a build add to args: --spec-type, draft-simple",
            severity="warning",
        ),
    )
