"""A model for people: what it is made of and what each GPU must hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

from provision.engines.ability import ABILITIES
from provision.models.memory.need import GpuNeed, Part
from provision.models.shape import Shape

from .model_list import billions
from .model_sheet import ModelSheet
from .screen import Table, count, heading, paragraph, put

_GIB = 1 << 30
_SOURCES = {
    "files": "from its own files",
    "catalogue": "from the catalogue",
    "spec": "by host.yaml's own word",
}


def show_sheet(sheet: ModelSheet) -> None:
    """What it is, what one GPU holds part by part, all GPUs, RAM, other quantisations."""
    model = sheet.model
    title = f"{model.name} in {model.weights.quantisation}, {_SOURCES[model.source]}"
    put(title, bold=True)
    put()
    _show_shape(sheet)
    _show_gpus(sheet)
    _show_parts("Memory of the host", sheet.need.ram)
    _show_others(sheet)


def _show_shape(sheet: ModelSheet) -> None:
    model, weights = sheet.model, sheet.model.weights
    indent = 14
    if sheet.parameters:
        active = sheet.active_parameters
        each = f", {billions(active)} of them for each token" if active else ""
        paragraph("parameters", f"{billions(sheet.parameters)}{each}", indent)
    if model.shape is not None:
        paragraph("shape", _shape_text(model.shape), indent)
    if model.context:
        paragraph("context", f"{model.context:,} tokens", indent)
    error = f" +- {_gib(round(weights.total * weights.error))}" if weights.error else ", exactly"
    paragraph("weights", f"{_gib(weights.total)} GiB{error}", indent)
    if not model.embeds:
        kib = sheet.kv_bytes_per_token / 1024
        paragraph("KV cache", f"{kib:,.1f} KiB a token, {sheet.load.kv_type}", indent)
    if model.note:
        paragraph("assumed", model.note, indent)


def _shape_text(shape: Shape) -> str:
    parts = [
        count(shape.layers, "layer"),
        f"hidden {shape.hidden:,}",
        f"{count(shape.heads, 'head')} of {shape.head_dim}",
        f"{count(shape.kv_heads, 'KV head')}",
        f"vocabulary {shape.vocab:,}",
    ]
    if shape.latent is not None:
        parts[3] = f"latent attention of {shape.latent.kv_rank} + {shape.latent.rope_dim}"
    if shape.experts is not None:
        parts.append(f"{shape.experts.count} experts, {shape.experts.used} used")
    if shape.window is not None:
        parts.append(f"{shape.window.layers} layers see {shape.window.tokens:,} tokens")
    if shape.recurrent is not None:
        parts.append(f"{shape.recurrent.layers} layers keep a state in place of a cache")
    return ", ".join(parts)


def _show_gpus(sheet: ModelSheet) -> None:
    gpus, load = sheet.need.gpus, sheet.load
    at = max(range(len(gpus)), key=lambda rank: (gpus[rank].bytes, -rank))
    if len(gpus) == 1:
        which = "One GPU"
    elif len({gpu.bytes for gpu in gpus}) == 1:
        which = f"Each of {len(gpus)} GPUs ({_split(sheet)})"
    else:
        which = f"The fullest of {len(gpus)} GPUs, number {at} ({_split(sheet)})"
    requests = count(load.parallel, "request")
    _show_parts(
        f"{which}: {load.engine}, context {load.context:,}, {requests} at a time", gpus[at].parts
    )
    if ABILITIES[load.engine].batches:
        put()
        text = f"{load.engine} starts with the KV cache of one whole request; what the GPUs have"
        paragraph("", f"{text} left beside becomes more of it.", 2)
    if len(gpus) > 1:
        put()
        if len({gpu.bytes for gpu in gpus}) > 1:
            paragraph("GPUs", ", ".join(_gib(gpu.bytes) for gpu in gpus) + " GiB", 14)
        paragraph("all GPUs", f"{_gib(sum(gpu.bytes for gpu in gpus))} GiB{_error(gpus)}", 14)


def _error(gpus: Sequence[GpuNeed]) -> str:
    error = sum(gpu.spread for gpu in gpus)
    return f" +- {_gib(error)}" if error else ""


def _split(sheet: ModelSheet) -> str:
    words = []
    if sheet.split.tensor > 1:
        words.append(f"tensor {sheet.split.tensor}")
    if sheet.split.pipeline > 1:
        words.append(f"pipeline {sheet.split.pipeline}")
    return " x ".join(words)


def _show_parts(title: str, parts: Sequence[Part]) -> None:
    if not parts:
        return
    heading(title)
    table = Table(("part", "GiB", "+-", "reckoned as"), right=(1, 2), wrap=True)
    for part in parts:
        table.row(part.name, _gib(part.bytes), _gib(part.error) if part.error else "", part.note)
    error = round(math.hypot(*(part.error for part in parts)))  # off independently of each other
    if len(parts) > 1:
        whole = sum(part.bytes for part in parts)
        table.row("together", _gib(whole), _gib(error) if error else "", "")
    table.show()


def _show_others(sheet: ModelSheet) -> None:
    if not sheet.others:
        return
    heading("In other quantisations, under the same load")
    fullest = "fullest GPU" if sheet.split.gpus > 1 else "GPU"
    table = Table(("quantisation", "weights GiB", "+-", f"{fullest} GiB", "+-"), right=(1, 2, 3, 4))
    for one in sheet.others:
        table.row(
            one.quantisation,
            _gib(one.weights),
            _gib(one.weights_error) if one.weights_error else "",
            _gib(one.fullest_gpu),
            _gib(one.gpu_error) if one.gpu_error else "",
        )
    table.show()


def _gib(size: int) -> str:
    """Two digits behind the point: a GPU's last hundred MiB decide."""
    return f"{size / _GIB:.2f}"
