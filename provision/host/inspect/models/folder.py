"""A folder that holds one model: configuration and files of weights."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from typing import Literal

from ...facts import ModelFound
from ..source import Source
from .config import Config, read_config, read_json
from .gguf_model import parts_of, read_gguf_model
from .header import Budget, HeaderError, open_header
from .safetensors import Weights, add_safetensors
from .settings import printable

_CONFIGS = ("config.json", "adapter_config.json", "params.json")  # params.json: Mistral's own
_PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.[a-z]+)", re.DOTALL)
_MOST_FILES = 4096
_MOST_NAMED = 64
_NO_WEIGHTS = re.compile(r"(training_args|optimizer|scheduler|rng_state.*)\.(bin|pt|pth)")
_Format = Literal["safetensors", "pytorch", "config"]


@dataclasses.dataclass(frozen=True, slots=True)
class _Files:
    """The files that an engine would load. total: bytes of all tensors by the index's word."""

    format: _Format
    names: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    total: int | None = None
    problem: str | None = None


def read_folder(source: Source, folder: str) -> ModelFound | None:
    """The one model in a folder; None when there is none, or several GGUF files."""
    names = source.names(folder)
    configs = [one for one in _CONFIGS if one in names]
    indexed = "model.safetensors.index.json" in names or "model.safetensors" in names
    if not configs and not indexed:
        return _only_gguf(source, folder, names)
    files = _files(source, folder, names)
    config, problem = Config(), files.problem
    if configs:
        read = read_config(source, folder, configs[0], names)
        problem = problem or (f"{configs[0]} cannot be read" if read is None else None)
        config = read or config
    else:
        problem = problem or "it has no config.json"
    found = _weigh(source, folder, files, config)
    unfinished = _unfinished(source, folder)
    return dataclasses.replace(
        found,
        architecture=config.architecture,
        name=config.text("_name_or_path") or config.text("base_model_name_or_path"),
        settings=config.settings,
        lists=config.lists,
        problem=unfinished or problem or found.problem,
    )


def _only_gguf(source: Source, folder: str, names: Collection[str]) -> ModelFound | None:
    """The GGUF model of a folder that holds no other; a projector beside it is no model."""
    ours = [one for one in names if one.endswith(".gguf") and not one.startswith("mmproj")]
    models = {parts_of(one)[0] for one in ours}
    return read_gguf_model(source, f"{folder}/{ours[0]}") if len(models) == 1 else None


def _files(source: Source, folder: str, names: tuple[str, ...]) -> _Files:
    tensors = tuple(one for one in names if one.endswith(".safetensors"))
    for index, format_ in _indexes(names):
        files = _indexed(source, folder, index, format_, names)
        if files is not None:
            return files
    if tensors:
        return _complete("safetensors", _without_duplicates(tensors))
    pickled = tuple(
        one
        for one in names
        if one.endswith((".bin", ".pt", ".pth")) and not _NO_WEIGHTS.fullmatch(one)
    )
    return _complete("pytorch", pickled) if pickled else _Files("config")


def _indexes(names: Collection[str]) -> list[tuple[str, _Format]]:
    """The indexes that are there, best first."""
    known: list[tuple[str, _Format]] = [
        ("model.safetensors.index.json", "safetensors"),
        ("consolidated.safetensors.index.json", "safetensors"),
        ("pytorch_model.bin.index.json", "pytorch"),
    ]
    whole = "model.safetensors" in names or "consolidated.safetensors" in names
    return [
        (name, kind)
        for name, kind in known
        if name in names and not (whole and name != "model.safetensors.index.json")
    ]


def _indexed(
    source: Source, folder: str, index: str, format_: _Format, names: Collection[str]
) -> _Files | None:
    """The files that an index names; None for an index that is broken or names none."""
    plain = read_json(source, f"{folder}/{index}")
    table = plain.get("weight_map") if isinstance(plain, dict) else None
    if not isinstance(plain, dict) or not isinstance(table, dict):
        return None
    named = sorted({one for one in table.values() if isinstance(one, str)})
    if not named or len(named) > _MOST_FILES:
        return None
    outside = [one for one in named if "/" in one or one in ("", ".", "..") or "\0" in one]
    if outside:
        problem = f"{index} names {printable(outside[0][:80])!r}, which is no file of this folder"
        return _Files(format_, missing=tuple(named), problem=problem)
    meta = plain.get("metadata")
    total = meta.get("total_size") if isinstance(meta, dict) else None
    there = set(names)
    return _Files(
        format_,
        tuple(one for one in named if one in there),
        tuple(one for one in named if one not in there),
        total if type(total) is int and 0 < total < 1 << 63 else None,
    )


def _without_duplicates(names: tuple[str, ...]) -> tuple[str, ...]:
    """Without the second copies that some publish: Mistral's consolidated*, a merged adapter."""
    ours = tuple(
        one
        for one in names
        if not one.startswith("consolidated") and not one.startswith("adapter_model")
    )
    return ours or names


def _complete(format_: _Format, names: tuple[str, ...]) -> _Files:
    """What is missing by the names alone: -00002-of-00004."""
    matches = (_PART.fullmatch(one) for one in names)
    series = sorted({(one[1], one[3], one[4]) for one in matches if one})
    wanted = {
        f"{stem}-{at:05}-of-{last}{ending}"
        for stem, last, ending in series[:8]
        for at in range(1, min(int(last), _MOST_FILES) + 1)
    }
    return _Files(format_, names, tuple(sorted(wanted - set(names))))


def _weigh(source: Source, folder: str, files: _Files, config: Config) -> ModelFound:
    there = tuple(one for one in files.names if source.is_file(f"{folder}/{one}"))
    missing = sorted({*files.missing, *files.names} - set(there))
    found = ModelFound(
        files.format,
        files=len(there),
        missing=tuple(printable(one) for one in missing[:_MOST_NAMED]),
        problem=f"{len(missing)} of its files are missing" if len(missing) > _MOST_NAMED else None,
    )
    if files.format == "pytorch":
        return _weigh_pickled(source, folder, there, files, found)
    if files.format == "config":
        return found
    weights, problem = _headers(source, folder, there, config.bits)
    problem = found.problem or problem
    if weights is None or missing or not weights.bytes:
        return dataclasses.replace(found, weight_bytes=files.total, problem=problem)
    return dataclasses.replace(
        found,
        parameters=weights.parameters,
        weight_bytes=weights.bytes,
        weights=dict(sorted(weights.by_type.items())),
        largest_tensor_bytes=weights.largest,
        problem=problem,
    )


def _headers(
    source: Source, folder: str, names: tuple[str, ...], bits: int | None
) -> tuple[Weights | None, str | None]:
    """The tensors of all files, None when one's header is broken; the first thing wrong."""
    weights, budget, problem, broken = Weights(), Budget(), None, False
    for name in names:
        try:
            wrong = add_safetensors(open_header(source, f"{folder}/{name}", budget), bits, weights)
        except HeaderError as error:
            wrong, broken = str(error), True
        if wrong and problem is None:
            problem = f"{printable(name)}: {wrong}"
    return None if broken else weights, problem


def _weigh_pickled(
    source: Source, folder: str, names: tuple[str, ...], files: _Files, found: ModelFound
) -> ModelFound:
    """Bytes by the index, else by the files' lengths, which are a little more than the tensors'."""
    sizes = [source.status(f"{folder}/{one}") for one in names]
    length = sum(one.st_size for one in sizes if one)
    return dataclasses.replace(
        found, weight_bytes=files.total or (None if found.missing else length)
    )


def _unfinished(source: Source, folder: str) -> str | None:
    """Whether a download into this very folder (hf download --local-dir) still goes on."""
    waiting = source.names(f"{folder}/.cache/huggingface/download")
    count = sum(one.endswith(".incomplete") for one in waiting)
    return f"{count} of its files are not fully downloaded" if count else None


def read_safetensors_file(source: Source, path: str) -> ModelFound:
    """A single .safetensors file, without a configuration."""
    folder, _, name = path.rpartition("/")
    return _weigh(source, folder, _Files("safetensors", (name,)), Config())
