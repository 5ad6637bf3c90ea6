"""Ollama: a server of several models by tag, with one llama-server child for each loaded one."""

from __future__ import annotations

from collections.abc import Mapping

from provision.host.bundle import Drain, Probe
from provision.host.errors import Diagnostic
from provision.host.ollama_tags import DEFAULT_MODELS_DIR, OllamaTag

from .launch import EngineName, Launch
from .llama_layers import gpu_layers, tensor_split
from .start import merged, pinned, post, shared_variables, slices_alone, uuid_devices
from .start import url as url_of

HOME = "/var/lib/ollama"
# Ollama's own default depends on the VRAM it sees, up to 262144 (server/routes.go): too much to be
# left to chance, since memory grows with it.
DEFAULT_CONTEXT = 8192
FIT_TARGET_MIB = 256  # provision.models.memory.overhead counts as much

_OWNED_VARIABLES = shared_variables(
    {
        "OLLAMA_HOST": "port",
        "OLLAMA_MODELS": "models_dir",
        "OLLAMA_CONTEXT_LENGTH": "context",
        "OLLAMA_NUM_PARALLEL": "parallel",
        "OLLAMA_KV_CACHE_TYPE": "kv_cache",
        "OLLAMA_MAX_LOADED_MODELS": "models",
        "OLLAMA_SCHED_SPREAD": "gpus",
        "OLLAMA_VULKAN": "gpus",
        "GGML_VK_VISIBLE_DEVICES": "gpus",
        "LLAMA_ARG_CACHE_TYPE_K": "kv_cache",
        "LLAMA_ARG_CACHE_TYPE_V": "kv_cache",
        "LLAMA_ARG_N_GPU_LAYERS": "cpu_offload",
        "LLAMA_ARG_NUMA": "numa",
        "LLAMA_ARG_SPLIT_MODE": "gpus",
        "LLAMA_ARG_TENSOR_SPLIT": "gpus",
        "LLAMA_ARG_THREADS": "numa",
        "HOME": "nothing: it is the state directory",
    }
)


_REGISTRY, _LIBRARY = "registry.ollama.ai", "library"  # what a name without them means


class Ollama:
    """Variables read from envconfig/config.go (2026-08); `ollama serve` has no options."""

    name: EngineName = "ollama"
    user = "ollama"
    default_port = 11434
    keepalive_timeout_seconds = 60  # Go's server never closes an idle connection by itself
    owned_options: Mapping[str, str] = {}
    owned_variables: Mapping[str, str] = _OWNED_VARIABLES
    inference_paths = (
        "/api/chat",
        "/api/embed",
        "/api/embeddings",
        "/api/generate",
        "/api/ps",
        "/api/show",
        "/api/tags",
        "/api/version",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/messages",
        "/v1/models",
        "/v1/models/",
        "/v1/responses",
    )

    def problems(self, launch: Launch) -> tuple[Diagnostic, ...]:
        found = slices_alone(launch)
        if not launch.args:
            return found
        given = " ".join(launch.args)
        message = f"{launch.group}: args is {given}, but `ollama serve` takes no options"
        hint = "Ollama is set by variables: use env"
        return (*found, Diagnostic("no-options", message, hint=hint))

    def command(self, launch: Launch) -> tuple[str, ...]:
        return pinned(launch, (launch.program, "serve", *launch.args))

    def environment(self, launch: Launch) -> dict[str, str]:
        own = uuid_devices(launch)
        own |= {
            "HOME": HOME,  # `ollama serve` writes an identity key there (cmd/cmd.go)
            "OLLAMA_HOST": f"127.0.0.1:{launch.port}",
            "OLLAMA_MODELS": self.folder(launch),
            "OLLAMA_CONTEXT_LENGTH": str(launch.context or DEFAULT_CONTEXT),
            "OLLAMA_MAX_LOADED_MODELS": str(len(launch.models)),
            "OLLAMA_VULKAN": "0",  # since 0.30 Vulkan may take a GPU outside the list (#16592)
        }
        if launch.parallel is not None:
            own["OLLAMA_NUM_PARALLEL"] = str(launch.parallel)
        if len(launch.gpus) > 1:
            own["OLLAMA_SCHED_SPREAD"] = "1"
        if launch.threads is not None:
            # the llama-server child takes all cores of the machine otherwise, pinned or not
            own["LLAMA_ARG_THREADS"] = str(launch.threads)
        own |= _layers(launch)
        # Wishes that an owner may change. The folder is shared, at least with whoever pulls, and
        # each start would prune what looks unused: a pull that takes longer than an hour is lost.
        wishes = {"OLLAMA_KEEP_ALIVE": "-1", "OLLAMA_NO_CLOUD": "1", "OLLAMA_NOPRUNE": "1"}
        if launch.gpus:
            # What it keeps free of each GPU before it moves layers to RAM; 1024 by default. The
            # plan has counted what the model needs, so that such a move would be for nothing.
            wishes["LLAMA_ARG_FIT_TARGET"] = str(FIT_TARGET_MIB)
        if launch.kv_cache not in (None, "f16"):
            own["OLLAMA_KV_CACHE_TYPE"] = str(launch.kv_cache)
            wishes["OLLAMA_FLASH_ATTENTION"] = "1"  # without it the type is not taken
        return merged(launch, {**wishes, **launch.env, **own})

    def folder(self, launch: Launch) -> str:
        """OLLAMA_MODELS of this instance."""
        return launch.models_dir or DEFAULT_MODELS_DIR

    def visible_devices_variable(self, launch: Launch) -> str | None:  # noqa: ARG002 - protocol
        """None: full UUIDs are rendered."""
        return None

    def ready(self, launch: Launch) -> Probe:
        return Probe(
            url=url_of(launch, "/"),
            headers={"Host": "localhost"},  # a public name would be answered with 403
            body_has="Ollama is running",
            timeout_seconds=5.0,
        )

    def token(self, launch: Launch) -> Probe:
        """The first model; keep_alive and context are the server's own, so it stays loaded."""
        body = {
            "model": launch.models[0],
            "prompt": "Hi",
            "stream": False,
            "options": {"num_predict": 1},
        }
        headers = {"Host": "localhost"}
        return post(launch, "/api/generate", body, ("eval_count", "response"), headers=headers)

    def drain(self, launch: Launch) -> Drain:  # noqa: ARG002 - protocol
        """Ollama tells nowhere how many requests it works on."""
        return Drain()

    def served_names(self, launch: Launch) -> tuple[tuple[str, ...], ...]:
        """Ollama fills in what a name leaves out, so each model has several spellings."""
        return tuple(_spellings(model) for model in launch.models)

    def requires(self, launch: Launch) -> tuple[str, ...]:
        """Manifests of the models: Ollama itself would answer 404 only when asked."""
        folder = self.folder(launch)
        return tuple(OllamaTag.parse(model).manifest(folder) for model in launch.models)

    def process(self, launch: Launch) -> str:
        return launch.program

    def writable(self, launch: Launch) -> tuple[str, ...]:
        return (launch.models_dir,) if launch.models_dir else ()


def _layers(launch: Launch) -> dict[str, str]:
    """Layers in RAM and the split over GPUs, for an instance of one model.

    The llama-server child inherits the environment and is given neither option (llm/
    llama_server.go, since 2026: num_gpu is -1 by default), so it reads these variables, all its
    builds with the head first. They count layers of one model; several models are left to Ollama,
    and so is everything in older releases, which have a runner of their own.
    """
    if len(launch.models) != 1:
        return {}
    found: dict[str, str] = {}
    if launch.gpus and launch.gpu_layers is not None:
        found["LLAMA_ARG_N_GPU_LAYERS"] = gpu_layers(launch, head_first=True)
    split = tensor_split(launch, head_first=True)
    if split:
        found["LLAMA_ARG_TENSOR_SPLIT"] = split
    return found


def _spellings(model: str) -> tuple[str, ...]:
    """As written, then every longer and shorter form that names the same."""
    full = OllamaTag.parse(model)
    short = [f"{full.model}:{full.tag}", *([full.model] if full.tag == "latest" else [])]
    forms = [model, str(full)]
    if full.host == _REGISTRY:
        forms += [f"{full.namespace}/{one}" for one in short]
        if full.namespace == _LIBRARY:
            forms += short
    if full.tag == "latest":
        forms.append(str(full).rpartition(":")[0])
    return tuple(dict.fromkeys(forms))
