"""The JSON Schema of the Facts document, made from the dataclasses themselves.

The description of a field is the comment beside it in its source, as Sphinx reads `#:` comments;
a test holds that each field has a comment or a type that speaks for itself.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import re
import tokenize
import types
import typing
from collections.abc import Mapping
from typing import Any

from provision.host.facts import Facts
from provision.host.quantity import CpuSet, PciAddress

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}
_NOTATIONS: dict[type, dict[str, Any]] = {
    CpuSet: {
        "type": "string",
        "pattern": r"^(\d+(-\d+)?(,\d+(-\d+)?)*)?$",
        "description": "Numbers in the kernel's list notation: 0-3,8,10-11; empty: none.",
    },
    PciAddress: {
        "type": "string",
        "pattern": r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$",
        "description": "A PCI address: 0000:17:00.0.",
    },
}


def facts_schema() -> dict[str, Any]:
    """The schema (draft-07) of what `provision inspect --json` prints."""
    definitions: dict[str, Any] = {}
    whole = _object(Facts, definitions)
    whole["properties"]["version"]["const"] = Facts.VERSION
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Facts of a host, as provision inspect --json prints them",
        "description": "What is not known is null, never 0 or an empty text.",
        **whole,
        "definitions": dict(sorted(definitions.items())),
    }


def field_comments(kind: type) -> dict[str, str]:
    """Field -> the comment beside it in the class's source."""
    comments: dict[str, str] = {}
    lines = io.StringIO(inspect.getsource(kind)).readline
    name = ""
    depth = 0
    for token in tokenize.generate_tokens(lines):
        if token.type == tokenize.OP and token.string in "([{":
            depth += 1
        elif token.type == tokenize.OP and token.string in ")]}":
            depth -= 1
        elif token.type == tokenize.COMMENT and name:
            comments[name] = token.string.lstrip("# ")
        elif token.type == tokenize.NAME and not depth and token.start[1] == 4:
            name = token.string
    return comments


def _object(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    comments = field_comments(kind)
    properties: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        schema = _schema(hints[field.name], definitions)
        text = comments.get(field.name)
        if text:
            # In draft-07 nothing beside a $ref counts.
            schema = {"allOf": [schema]} if "$ref" in schema else dict(schema)
            schema["description"] = _sentence(text)
        properties[field.name] = schema
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(kind) or "").split()),
        "properties": properties,
        # Written whole: a key that is missing was written by another version.
        "required": [field.name for field in dataclasses.fields(kind)],
        "additionalProperties": False,
    }


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin = typing.get_origin(hint)
    if origin is typing.Union or origin is types.UnionType:
        return _either(typing.get_args(hint), definitions)
    if origin is typing.Literal:
        return {"enum": list(typing.get_args(hint))}
    if origin is tuple:
        return {"type": "array", "items": _schema(typing.get_args(hint)[0], definitions)}
    if origin is Mapping or origin is typing.get_origin(Mapping[str, str]):
        return {
            "type": "object",
            "additionalProperties": _schema(typing.get_args(hint)[1], definitions),
        }
    if hint in _NOTATIONS:
        definitions[hint.__name__] = _NOTATIONS[hint]
        return {"$ref": f"#/definitions/{hint.__name__}"}
    if dataclasses.is_dataclass(hint):
        name = typing.cast(type, hint).__name__
        if name not in definitions:
            definitions[name] = {}
            definitions[name] = _object(typing.cast(type, hint), definitions)
        return {"$ref": f"#/definitions/{name}"}
    return {"type": _PLAIN[hint]}


def _either(choices: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    schemas = [_schema(one, definitions) for one in choices if one is not type(None)]
    plain = [one["type"] for one in schemas if set(one) == {"type"}]
    if len(plain) == len(schemas):
        names = [*plain, *(["null"] if type(None) in choices else [])]
        return {"type": names if len(names) > 1 else names[0]}
    if type(None) in choices:
        schemas.append({"type": "null"})
    return {"anyOf": schemas} if len(schemas) > 1 else schemas[0]


def _sentence(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return text + ("" if text.endswith(".") else ".")
