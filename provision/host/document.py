"""Versioned JSON documents from frozen dataclasses, and back.

Every value that crosses from one half to the other (InspectRequest, Facts, Bundle, State, Report)
is a dataclass of plain types; this module is the only place that turns them into JSON text.
Unknown keys are an error, since a silently dropped wish is worse than a refused document.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from .errors import fail
from .quantity import CpuSet, PciAddress

T = TypeVar("T")
_SCALARS: tuple[type[CpuSet] | type[PciAddress], ...] = (CpuSet, PciAddress)


def to_plain(value: Any) -> Any:
    """The JSON form of a value: dataclasses become objects, tuples lists, CpuSet its notation."""
    if isinstance(value, _SCALARS):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(one) for key, one in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [to_plain(one) for one in value]
    if isinstance(value, (set, frozenset)):
        return sorted(to_plain(one) for one in value)
    return value


def dumps(value: Any) -> str:
    """The document's text: keys in the order of the fields, two spaces, one newline at the end."""
    return json.dumps(to_plain(value), indent=2, ensure_ascii=False) + "\n"


def loads(kind: type[T], text: str | bytes, name: str = "document") -> T:
    """Read a document of this kind; ProvisionError `bad-document` names the path of a fault."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise fail("bad-document", f"{name}: not JSON: {error}") from None
    return from_plain(kind, plain, name)


def from_plain(kind: type[T], plain: Any, name: str = "document") -> T:
    """Build a value of this kind from its JSON form, checking every type on the way."""
    wanted = getattr(kind, "VERSION", None)
    if wanted is not None and isinstance(plain, dict) and plain.get("version") != wanted:
        raise fail(
            "bad-document",
            f"{name}: version is {plain.get('version')!r}, this program reads version {wanted}",
            "use the same version of provision on both sides",
        )
    try:
        return typing.cast(T, _build(kind, plain, "$"))
    except (_MismatchError, RecursionError) as error:
        raise fail("bad-document", f"{name}: {error}") from None


class _MismatchError(ValueError):
    pass


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build(kind: Any, plain: Any, path: str) -> Any:
    origin = typing.get_origin(kind)
    if kind is Any:
        return plain
    if origin is typing.Union or origin is types.UnionType:
        return _build_union(kind, plain, path)
    if origin is typing.Literal:
        if plain not in typing.get_args(kind) or isinstance(plain, bool):
            choices = ", ".join(map(repr, typing.get_args(kind)))
            raise _MismatchError(f"{path}: {plain!r} is none of {choices}")
        return plain
    if origin is tuple:
        if not isinstance(plain, list):
            raise _MismatchError(f"{path}: expected a list, found {plain!r:.60}")
        item = typing.get_args(kind)[0]
        return tuple(_build(item, one, f"{path}[{at}]") for at, one in enumerate(plain))
    if origin in (dict, Mapping) or origin is typing.get_origin(Mapping[str, str]):
        return _build_mapping(kind, plain, path)
    if kind in _SCALARS:
        try:
            return kind.parse(plain)
        except (ValueError, AttributeError, TypeError) as error:
            raise _MismatchError(f"{path}: {error}") from None
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, plain, path)
    return _build_leaf(kind, plain, path)


def _build_union(kind: Any, plain: Any, path: str) -> Any:
    choices = typing.get_args(kind)
    if plain is None and type(None) in choices:
        return None
    problems: list[str] = []
    for choice in choices:
        if choice is type(None):
            continue
        try:
            return _build(choice, plain, path)
        except _MismatchError as error:
            problems.append(str(error))
    raise _MismatchError(problems[0] if len(problems) == 1 else "; or ".join(problems))


def _build_mapping(kind: Any, plain: Any, path: str) -> dict[Any, Any]:
    if not isinstance(plain, dict):
        raise _MismatchError(f"{path}: expected an object, found {plain!r:.60}")
    key_kind, item = typing.get_args(kind)
    try:
        return {key_kind(key): _build(item, one, f"{path}.{key}") for key, one in plain.items()}
    except ValueError as error:
        if isinstance(error, _MismatchError):
            raise
        raise _MismatchError(f"{path}: {error}") from None


def _build_dataclass(kind: Any, plain: Any, path: str) -> Any:
    if not isinstance(plain, dict):
        raise _MismatchError(f"{path}: expected an object, found {plain!r:.60}")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in plain:
        if key not in fields:
            raise _MismatchError(f"{path}: unknown key {key!r}")
    hints = _hints(kind)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in plain:
            values[name] = _build(hints[name], plain[name], f"{path}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise _MismatchError(f"{path}: missing key {name!r}")
    try:
        return kind(**values)
    except ValueError as error:
        raise _MismatchError(f"{path}: {error}") from None


def _build_leaf(kind: Any, plain: Any, path: str) -> Any:
    if kind is float and isinstance(plain, int) and not isinstance(plain, bool):
        return float(plain)
    if not isinstance(plain, kind) or (isinstance(plain, bool) and kind is not bool):
        raise _MismatchError(f"{path}: expected {kind.__name__}, found {plain!r:.60}")
    return plain
