"""Which splits of a model over a number of GPUs are legal, and by which rule others are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from provision.host.facts import Gpu
from provision.models.memory.split import Split
from provision.models.shape import Shape

from ..machine.gpus import alike
from ..wording import counted, gpu_line
from .service import Service
from .way import Problem

_GROUPED = {"AWQ": 128, "GPTQ": 128}  # weights under one scale; a slice must hold whole groups


def splits(service: Service, count: int) -> Iterator[Split]:
    """Every way to divide `count` GPUs that the spec and the engine leave open."""
    spec, ability = service.spec, service.ability
    for tensor in range(count, 0, -1):
        if count % tensor:
            continue
        pipeline = count // tensor
        if spec.tensor_parallel_size not in (None, tensor):
            continue
        if spec.pipeline_parallel_size not in (None, pipeline):
            continue
        if (tensor > 1 and not ability.tensor) or (pipeline > 1 and not ability.pipeline):
            continue
        yield Split(tensor, pipeline, experts=bool(spec.expert_parallel) and tensor > 1)
        if tensor > 1 and _may_keep_experts_whole(service):
            yield Split(tensor, pipeline, experts=True)


def _may_keep_experts_whole(service: Service) -> bool:
    """Expert parallel is weighed beside tensor parallel where host.yaml leaves it open."""
    shape = service.largest.shape
    open_ = service.spec.expert_parallel is None and service.ability.expert_parallel
    return open_ and shape is not None and shape.experts is not None


def split_problem(service: Service, split: Split, gpus: Sequence[Gpu]) -> Problem | None:
    """Why this split of these GPUs cannot work, None when it can."""
    model, shape = service.largest, service.largest.shape
    vendors = sorted({gpu.vendor for gpu in gpus})
    if len(vendors) > 1:
        return Problem("vendors", f"{' and '.join(vendors)} GPUs never work as one group")
    if not set(vendors) <= service.ability.vendors:
        return Problem("vendors", f"{service.spec.engine} does not run on {vendors[0]} GPUs")
    layers = len(model.weights.layers)
    if split.pipeline > 1 and layers and split.pipeline > layers:
        return Problem("layers", f"{counted(layers, 'layer')} cannot make {split.pipeline} stages")
    if split.tensor > 1:
        return _tensor_problem(service, split, gpus, shape)
    return None


def _tensor_problem(
    service: Service, split: Split, gpus: Sequence[Gpu], shape: Shape | None
) -> Problem | None:
    tensor, name = split.tensor, service.largest.name
    if not service.ability.unequal_tensor:
        for at in range(0, len(gpus), tensor):
            stage = gpus[at : at + tensor]
            if not alike(stage):
                text = ", ".join(map(gpu_line, stage))
                smallest = len({gpu.memory_mib for gpu in stage}) > 1
                sets = "smallest card would set the memory" if smallest else "slowest the pace"
                return Problem(
                    "unequal",
                    f"tensor {tensor} over {text}: every layer is cut evenly, so the {sets} of all",
                )
    if shape is None:
        heads = service.spec.memory.heads if service.spec.memory else None
        if heads is None:
            return Problem("heads", "the number of attention heads is not known (memory: heads)")
        return _undivided("heads", name, heads, "attention head", tensor)
    problem = _undivided("heads", name, shape.heads, "attention head", tensor)
    problem = problem or _key_value_heads(name, shape, tensor)
    if problem is not None or service.ability.unequal_tensor:
        return problem
    return _widths(service, split, shape)


def _undivided(rule: str, model: str, number: int, noun: str, parts: int) -> Problem | None:
    if number % parts == 0:
        return None
    return Problem(rule, f"{model} has {counted(number, noun)}, which {parts} does not divide")


def _key_value_heads(model: str, shape: Shape, tensor: int) -> Problem | None:
    """KV heads are divided, or each is held by several ranks; nothing in between (vLLM's rule)."""
    if shape.latent is not None or shape.kv_heads == 0:
        return None
    if shape.kv_heads % tensor == 0 or tensor % shape.kv_heads == 0:
        return None
    return Problem(
        "kv-heads",
        f"{model} has {counted(shape.kv_heads, 'KV head')}, which {tensor} ranks can neither "
        "divide nor repeat evenly",
    )


def _widths(service: Service, split: Split, shape: Shape) -> Problem | None:
    """Widths of the feed-forward networks, in whole quantisation groups."""
    stored = service.largest.weights.quantisation
    group = stored.group or _GROUPED.get(stored.name.partition("-")[0], 1)
    widths = [(shape.ffn, "the feed-forward width")] if shape.ffn else []
    if shape.experts is not None and not split.experts:
        widths.append((shape.experts.ffn, "the width of an expert"))
    for width, what in widths:
        if width % split.tensor or (width // split.tensor) % group:
            each = f"{width / split.tensor:g} each"
            rule = f", not whole groups of {group} ({stored})" if group > 1 else ""
            return Problem("width", f"{what}, {width}, cut in {split.tensor} is {each}{rule}")
    if split.experts and shape.experts is not None:
        return _undivided(
            "experts", service.largest.name, shape.experts.count, "expert", split.tensor
        )
    return None


def kv_repeats(service: Service, split: Split) -> int:
    """How many ranks hold the same KV head; 1: none twice."""
    shape = service.largest.shape
    if shape is None or shape.latent is not None or not shape.kv_heads:
        return 1
    return max(1, split.tensor // shape.kv_heads)
