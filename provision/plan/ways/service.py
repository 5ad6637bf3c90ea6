"""Service: what a group of instances is to serve, before any GPU is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from provision.engines.ability import ABILITIES, Ability
from provision.engines.options import has_option, option_value
from provision.host.facts import Facts, ModelFound
from provision.models.formats.weigh import weigh
from provision.models.identity.identify import GivenMemory, identify
from provision.models.memory.need import Load
from provision.models.model import Model, UnknownModelError
from provision.models.weights import Quantisation
from provision.spec.model import HostSpec, InstanceSpec
from provision.spec.request import model_paths

from ..complaints import Complaints

Optimize = Literal["latency", "throughput", "memory"]
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Service:
    """Models, load and wishes of one group. load.context is 0 where the plan may choose it."""

    group: str
    spec: InstanceSpec
    ability: Ability
    models: tuple[Model, ...]
    load: Load
    optimize: Optimize

    @property
    def largest(self) -> Model:
        """The model that decides how the group is spread."""
        return max(self.models, key=lambda one: one.weights.total)

    @property
    def context_open(self) -> bool:
        """Whether the plan chooses the context: the largest that fits."""
        return self.load.context == 0

    def trained_context(self) -> int | None:
        """The least of its models' own, where they are known."""
        known = [one.context for one in self.models if one.context is not None]
        return min(known) if known else None


def services_of(spec: HostSpec, facts: Facts, complaints: Complaints) -> dict[str, Service | None]:
    """Every group's service, None with an error where a model's memory is not known."""
    return {
        group: _service(group, instance, spec, facts, complaints)
        for group, instance in spec.instances.items()
    }


def _service(
    group: str, instance: InstanceSpec, spec: HostSpec, facts: Facts, complaints: Complaints
) -> Service | None:
    found = {one.path: one.model for one in facts.stable.paths}
    models = [
        _model(group, instance, at, word, found, complaints)
        for at, word in enumerate(instance.models or [instance.model or ""])
    ]
    draft = _draft(group, instance, found, complaints)
    known = tuple(one for one in models if one is not None)
    if len(known) < len(models) or (draft is None and instance.draft_model is not None):
        return None
    ability = ABILITIES[instance.engine]
    load = load_of(instance, ability, known, draft)
    service = Service(group, instance, ability, known, load, instance.optimize or spec.optimize)
    _check_formats(service, complaints)
    _check_context(service, complaints)
    return service


def _model(
    group: str,
    instance: InstanceSpec,
    at: int,
    word: str,
    found: Mapping[str, ModelFound | None],
    complaints: Complaints,
) -> Model | None:
    path = ("models", at) if instance.models else ("model",)
    try:
        model = identify(word, instance.engine, _files(instance, word, found), _given(instance))
    except UnknownModelError as error:
        complaints.error(
            "unknown-model", f"{group}: {error}", "instances", group, *path, hint=error.hint
        )
        return None
    return _requantised(model, instance)


def _draft(
    group: str,
    instance: InstanceSpec,
    found: Mapping[str, ModelFound | None],
    complaints: Complaints,
) -> Model | None:
    if instance.draft_model is None:
        return None
    word = instance.draft_model
    try:
        return identify(word, instance.engine, _files(instance, word, found))
    except UnknownModelError as error:
        complaints.error(
            "unknown-model", f"{group}: {error}", "instances", group, "draft_model", hint=error.hint
        )
        return None


def _files(
    instance: InstanceSpec, word: str, found: Mapping[str, ModelFound | None]
) -> ModelFound | None:
    """What inspection read at the places where this engine keeps the model."""
    places = model_paths(instance.engine, word, instance.models_dir)
    return next((found[path] for path in places if found.get(path) is not None), None)


def _given(instance: InstanceSpec) -> GivenMemory | None:
    memory = instance.memory
    if memory is None:
        return None
    return GivenMemory(
        weights=int(memory.weights_gib * _GIB),
        kv=int(memory.kv_cache_gib * _GIB),
        layers=memory.layers,
        heads=memory.heads,
    )


def _requantised(model: Model, instance: InstanceSpec) -> Model:
    """vLLM's `--quantization fp8` on 16-bit files: at the start it halves them."""
    wanted = option_value(instance.args, "--quantization", "-q")
    if instance.engine != "vllm" or wanted != "fp8" or model.shape is None:
        return model
    if model.weights.quantisation.name not in ("BF16", "F16", "FP16"):
        return model
    weights = weigh(model.shape, Quantisation("safetensors", "FP8"))
    return replace(model, weights=weights, note="quantised to FP8 by vLLM at the start")


def load_of(
    instance: InstanceSpec,
    ability: Ability,
    models: tuple[Model, ...],
    draft: Model | None = None,
) -> Load:
    """The load that the keys and options of an instance ask for."""
    trained = [one.context for one in models if one.context is not None]
    context = instance.context or 0
    if not context and ability.default_context is not None:
        context = min([ability.default_context, *trained])
    args = instance.args
    return Load(
        engine=instance.engine,
        context=context,
        parallel=instance.parallel or ability.default_parallel,
        kv_type=instance.kv_cache or "f16",
        batch_tokens=_number(
            option_value(args, "--max-num-batched-tokens", "--ubatch-size", "-ub")
        ),
        prompt_cache_mib=_number(option_value(args, "--cache-ram", "-cram")),
        eager=has_option(args, "--enforce-eager"),
        full_window=has_option(args, "--swa-full"),
        draft=draft,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _check_formats(service: Service, complaints: Complaints) -> None:
    """Files that the engine cannot load."""
    for model in service.models:
        stored = model.weights.quantisation
        if model.source == "spec" or stored.format in service.ability.formats:
            continue
        if service.spec.engine == "vllm" and stored.format == "gguf":
            complaints.warning(
                "model-format",
                f"{service.group}: {model.reference} is a GGUF file, which vLLM loads, but slowly "
                "and by its own word experimentally",
                *("instances", service.group, "model"),
                hint="llama-server or ollama serve GGUF files, vllm safetensors",
            )
            continue
        formats = " or ".join(sorted(service.ability.formats))
        complaints.error(
            "model-format",
            f"{service.group}: {model.reference} is stored as {stored.format} ({stored}), "
            f"{service.spec.engine} loads {formats}",
            *("instances", service.group, "model"),
            hint=_engine_for(stored.format),
        )


def _engine_for(stored: str) -> str:
    able = [name for name, ability in ABILITIES.items() if stored in ability.formats]
    return f"engines for {stored}: {', '.join(able)}"


def _check_context(service: Service, complaints: Complaints) -> None:
    """A context beyond the one the model was trained for."""
    trained, wanted = service.trained_context(), service.spec.context
    if trained is None or wanted is None or wanted <= trained:
        return
    path = ("instances", service.group, "context")
    text = f"{service.group}: context is {wanted}, the model was trained for {trained} tokens"
    if service.spec.engine == "vllm" and not has_option(service.spec.args, "--hf-overrides"):
        complaints.error(
            "context-beyond-model", f"{text}; vLLM refuses more", *path, hint=f"context: {trained}"
        )
    else:
        complaints.warning(
            "context-beyond-model",
            f"{text}; answers get worse beyond that",
            *path,
            hint=f"context: {trained}",
        )
