"""docs/reference/facts.md: every part of the Facts document and what its fields mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .facts_schema import facts_schema

_HEAD = """\
# Facts

What `provision inspect --json` prints, `-o FILE` saves and `provision plan --facts FILE` reads.
`provision schema facts` prints the same as a JSON Schema (draft-07). Made from the code.

The document has a version, which changes when an older reader would go wrong. `stable` stays until
hardware or software changes, and a saved plan is checked against it alone; `volatile` is the moment
of the look. What is not known is `null`, never 0 or an empty text; sizes end in their unit.
The rules of the findings are listed in [findings.md](findings.md).
"""


def facts_page() -> str:
    """The whole page."""
    schema = facts_schema()
    parts = [_HEAD, *_part("Facts", schema)]
    definitions: Mapping[str, Any] = schema["definitions"]
    parts += _notations(definitions)
    for name in _in_order(schema):
        if "properties" in definitions[name]:
            parts += _part(name, definitions[name])
    return "\n".join(parts).rstrip() + "\n"


def _in_order(schema: Mapping[str, Any]) -> list[str]:
    """The definitions in the order in which a reader of the document meets them."""
    met: dict[str, None] = {}
    todo = [schema]
    while todo:
        part = todo.pop(0)
        for name in _references(part.get("properties", {})):
            if name not in met:
                met[name] = None
                todo.append(schema["definitions"][name])
    return list(met)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key == "$ref":
                yield one.rpartition("/")[2]
            else:
                yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def _notations(definitions: Mapping[str, Any]) -> Iterator[str]:
    yield "## Notations\n"
    for name, one in definitions.items():
        if "properties" not in one:
            yield f"- {name}: {one['description']}"
    yield ""


def _part(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{schema['description']}\n"
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for field, one in schema["properties"].items():
        meaning = one.get("description", "").removesuffix(".").replace("|", "\\|")
        yield f"| `{field}` | {_type(one)} | {meaning} |"
    yield ""


def _type(schema: Mapping[str, Any]) -> str:
    """`text or null`, `list of Gpu`, `"v1", "hybrid" or "v2"`."""
    if "allOf" in schema:
        return _type(schema["allOf"][0])
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return name if name in ("CpuSet", "PciAddress") else f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f'"{one}"' for one in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_plain(kind, schema) for kind in kinds)


def _plain(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object":
        return f"object of {_type(schema['additionalProperties'])}"
    return {"string": "text", "boolean": "true or false"}.get(kind, kind)
