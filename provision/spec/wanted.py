"""What a key of host.yaml takes, in words, from the JSON Schema: `auto or 0 to 64`."""

from __future__ import annotations

from typing import Any

from .model import (
    ABSOLUTE_PATH_PATTERN,
    NAME_PATTERN,
    PATH_OR_OFF_PATTERN,
    URL_PATH_PATTERN,
)
from .places import Path
from .schema import json_schema

PATTERNS = {
    NAME_PATTERN: "a name of small letters, digits and -, 41 at most, not starting with -",
    ABSOLUTE_PATH_PATTERN: "an absolute path: it starts with /",
    PATH_OR_OFF_PATTERN: "an absolute path, or off",
    URL_PATH_PATTERN: "a path that starts with /, of letters, digits and . _ ~ / -",
}
# What the items of a list are, where "text" would not say it.
_ITEMS = {
    "gpus": "UUIDs or PCI addresses",
    "reserved_gpus": "UUIDs or PCI addresses",
    "models": "models",
    "args": "options",
    "allow": "addresses or networks",
    "instances": "names of instances",
    "numa": "node numbers",
    "nodes": "node numbers",
    "upstreams": "upstreams",
    "power_limit_watts": "{gpus, watts}",
}
_TEXTS = {
    "listen": "ADDRESS:PORT",
    "allow": "an address or network",
    "gpus": "a UUID or PCI address",
    "reserved_gpus": "a UUID or PCI address",
    "args": "an option as text",
}


class Wanted:
    """Looks up keys in the schema."""

    def __init__(self) -> None:
        self._schema = json_schema()

    def keys(self, path: Path) -> list[str]:
        """The keys that the mapping at this path takes; empty where names are free."""
        return sorted(self._mapping(path).get("properties", {}))

    def owner_of(self, key: str) -> str | None:
        """Where a key that stands in the wrong place belongs: `gpu_settings`, `an instance`."""
        owners = {
            "an instance": "InstanceSpec",
            "memory of an instance": "MemorySpec",
            "gpu_settings": "GpuSettingsSpec",
            "proxy": "ProxySpec",
            "an upstream of proxy": "UpstreamSpec",
            "timeouts of proxy": "Timeouts",
            "backup of an upstream": "BackupSpec",
            "tls of proxy": "TlsSpec",
            "rate_limit of proxy": "RateLimitSpec",
            "watch of proxy": "WatchSpec",
            "drift": "DriftSpec",
        }
        for words, name in owners.items():
            if key in self._schema["definitions"][name]["properties"]:
                return words
        return "the top of the file" if key in self._schema["properties"] else None

    def words(self, path: Path) -> str:
        """What may stand at this path."""
        key = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
        return self._words(self._at(path), key, isinstance(path[-1], int) if path else False)

    def choices(self, path: Path) -> list[str]:
        """The words that may stand at this path."""
        branches = self._branches(self._at(path))
        return [str(one) for branch in branches for one in branch.get("enum", [])]

    def _at(self, path: Path) -> dict[str, Any]:
        node: Any = self._schema
        for step in path:
            wanted = "array" if isinstance(step, int) else "object"
            branch = next((b for b in self._branches(node) if b.get("type") == wanted), {})
            if wanted == "array":
                node = branch.get("items", {})
            else:
                node = branch.get("properties", {}).get(step) or branch.get("additionalProperties")
            node = node if isinstance(node, dict) else {}
        return dict(node)

    def _mapping(self, path: Path) -> dict[str, Any]:
        branches = self._branches(self._at(path))
        return next((one for one in branches if one.get("type") == "object"), {})

    def _branches(self, node: dict[str, Any]) -> list[dict[str, Any]]:
        """The forms that a value may take, references followed, null left out."""
        for one in node.get("allOf", []):
            node = {**node, **one}
        if "$ref" in node:
            return self._branches(self._schema["definitions"][node["$ref"].rpartition("/")[2]])
        if "anyOf" in node:
            return [one for branch in node["anyOf"] for one in self._branches(branch)]
        return [] if node.get("type") == "null" else [node]

    def _words(self, node: dict[str, Any], key: str, item: bool) -> str:
        words: list[str] = []
        for one in self._branches(node):
            words += map(str, one["enum"]) if "enum" in one else [self._form(one, key, item)]
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"

    def _form(self, node: dict[str, Any], key: str, item: bool) -> str:
        kind = node.get("type")
        if kind in ("integer", "number"):
            low = node.get("minimum", node.get("exclusiveMinimum"))
            start = f"above {low:g} up" if "exclusiveMinimum" in node else f"{low}"
            return f"{start} to {node['maximum']}"
        if kind == "array":
            return f"a list of {_ITEMS.get(key, 'values')}"
        if kind == "object":
            return _mapping_words(node, key)
        if kind == "boolean":
            return "true or false"
        if "pattern" in node:
            return PATTERNS[node["pattern"]]
        return _TEXTS.get(key, "text") if item or key == "listen" else "text"


def _mapping_words(node: dict[str, Any], key: str) -> str:
    keys = list(node.get("properties", {}))
    if not keys:
        return {"env": "a mapping of VARIABLE: text", "instances": "a mapping of names"}.get(
            key, "a mapping"
        )
    return f"{{{', '.join(keys)}}}" if len(keys) <= 4 else "a mapping of its settings"
