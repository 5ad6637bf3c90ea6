"""The JSON Schema of host.yaml for editors: draft-07, as their YAML server reads no newer.

Made from the model, so that it can never say anything else; a description on every key becomes
the editor's hover text.
"""

from __future__ import annotations

import functools
import json
from typing import Any

_DIALECT = "http://json-schema.org/draft-07/schema#"
_TITLE = "host.yaml of provision, version 1"


def json_schema() -> dict[str, Any]:
    """The schema as a JSON value. A new copy at each call."""
    return dict(json.loads(_schema_text()))


@functools.lru_cache(maxsize=1)
def _schema_text() -> str:
    from .model import HostSpec  # pydantic is slow to import: only what needs it pays

    made = HostSpec.model_json_schema()
    definitions = {name: _clean(one) for name, one in made.pop("$defs").items()}
    top = _clean(made)
    schema = {"$schema": _DIALECT, "title": _TITLE, **top, "definitions": definitions}
    return json.dumps(schema)


def _clean(node: Any) -> Any:
    """One node of pydantic's schema in draft-07's words, without pydantic's own additions."""
    if isinstance(node, list):
        return [_clean(one) for one in node]
    if isinstance(node, float) and node.is_integer():
        return int(node)  # pydantic before 2.10 writes 1.0 for the bounds of a float
    if not isinstance(node, dict):
        return node
    clean: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            clean[key] = {name: _clean(one) for name, one in value.items()}
        elif key == "description":
            clean[key] = " ".join(value.split())
        elif key == "$ref":
            clean[key] = value.replace("#/$defs/", "#/definitions/")
        elif key in ("default", "enum", "const"):
            clean[key] = value
        elif key != "title":  # made up from the key's name, it says nothing
            clean[key] = _clean(value)
    return _dialect(clean)


def _dialect(node: dict[str, Any]) -> dict[str, Any]:
    if node.get("default", ...) is None:
        del node["default"]  # not a value: the key may be left out
    if "const" in node:  # an enum is what editors complete
        node["enum"] = [node.pop("const")]
    patterns = node.pop("patternProperties", None)
    if patterns:  # other names are an error, not merely unknown
        ((pattern, value),) = patterns.items()
        node["propertyNames"] = {"pattern": pattern}
        node["additionalProperties"] = value
    if "$ref" in node and len(node) > 1:  # draft-07 ignores whatever stands beside a $ref
        node["allOf"] = [{"$ref": node.pop("$ref")}]
    return _flat(node)


def _flat(node: dict[str, Any]) -> dict[str, Any]:
    """Branches of branches as one list: `a or (b or nothing)` reads better as `a, b or nothing`."""
    branches: list[Any] = []
    for one in [*node.pop("oneOf", []), *node.pop("anyOf", [])]:
        branches += one["anyOf"] if set(one) == {"anyOf"} else [one]
    if branches:
        node["anyOf"] = branches
    return node
