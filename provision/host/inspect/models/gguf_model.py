"""A GGUF model: one file, or the parts of a split one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...facts import ModelFound
from ..source import Source
from .gguf import GgufPart, Tensors, parse_gguf
from .header import Budget, HeaderError, open_header
from .settings import printable

_MOST_NAMED = 64
_SPLIT = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf", re.DOTALL)


def read_gguf_model(source: Source, path: str) -> ModelFound:
    """A .gguf file with all the other parts that its name speaks of (-00001-of-00003)."""
    folder, _, name = path.rpartition("/")
    names = parts_of(name)
    beside = {name, *(source.names(folder or "/") if len(names) > 1 else ())}
    there = [one for one in names if one in beside and source.is_file(f"{folder}/{one}")]
    known = set(there)
    paths = [f"{folder}/{one}" for one in there]
    return read_parts(source, paths, [one for one in names if one not in known])


def parts_of(name: str) -> list[str]:
    """The names of all parts of a model by that of one: itself, where it is not split."""
    match = _SPLIT.fullmatch(name)
    if not match or not 1 <= int(match[2]) <= int(match[3]):
        return [name]
    return [f"{match[1]}-{number:05}-of-{match[3]}.gguf" for number in range(1, int(match[3]) + 1)]


def read_parts(source: Source, paths: Sequence[str], missing: Sequence[str]) -> ModelFound:
    """A model of these files, the one with the metadata first. missing: names of further ones."""
    budget = Budget()
    parts = [_part(source, path, budget) for path in paths]
    named = [path.rpartition("/")[2] for path in paths]
    problem = next(
        (
            f"{printable(name)}: {part.problem}" if len(parts) > 1 else part.problem
            for name, part in zip(named, parts, strict=True)
            if part.problem
        ),
        None,
    )
    first = parts[0] if parts else GgufPart()
    if not missing and problem is None:
        problem = _count_problem(parts)
    if len(missing) > _MOST_NAMED:
        problem = problem or f"{len(missing)} of its parts are missing"
    total = None if missing else _total(parts)
    architecture, name = (first.settings.get(f"general.{key}") for key in ("architecture", "name"))
    return ModelFound(
        "gguf",
        architecture=architecture if isinstance(architecture, str) else None,
        name=name if isinstance(name, str) else None,
        parameters=total.parameters if total else None,
        weight_bytes=total.bytes if total else None,
        weights=dict(sorted(total.by_type.items())) if total and total.bytes is not None else {},
        largest_tensor_bytes=total.largest if total and total.bytes is not None else None,
        settings=first.settings,
        lists=first.lists,
        files=len(paths),
        missing=tuple(printable(one) for one in missing[:_MOST_NAMED]),
        problem=problem,
    )


def _part(source: Source, path: str, budget: Budget) -> GgufPart:
    try:
        return parse_gguf(open_header(source, path, budget))
    except HeaderError as error:
        return GgufPart(problem=str(error))


def _total(parts: Sequence[GgufPart]) -> Tensors | None:
    """The tensors of all parts; None when those of one are not known, or there are none at all."""
    total = Tensors()
    for part in parts:
        if part.tensors is None:
            return None
        total.count += part.tensors.count
        total.parameters += part.tensors.parameters
        total.largest = max(total.largest, part.tensors.largest)
        for name, size in part.tensors.by_type.items():
            total.by_type[name] = total.by_type.get(name, 0) + size
        if total.bytes is not None and part.tensors.bytes is not None:
            total.bytes += part.tensors.bytes
        else:
            total.bytes = None
    return total if total.count and total.bytes != 0 else None


def _count_problem(parts: Sequence[GgufPart]) -> str | None:
    """Whether the parts hold as many tensors as the first one promises."""
    promised = parts[0].settings.get("split.tensors.count") if parts else None
    count = sum(part.tensors.count for part in parts if part.tensors)
    if isinstance(promised, int) and promised != count:
        return f"its parts hold {count} tensors, the first one promises {promised}"
    return None
