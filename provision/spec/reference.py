"""The reference of host.yaml as Markdown, made from the JSON Schema."""

from __future__ import annotations

from typing import Any

from .schema import json_schema

_ORDER = (
    "HostSpec",
    "InstanceSpec",
    "GpuSelector",
    "MemorySpec",
    "NumaPin",
    "Secret",
    "GpuSettingsSpec",
)
_HEAD = """\
# host.yaml, version 1

Made from the schema that `provision schema` prints. Unknown keys are errors. Scalars are read as
written: `no`, `on` and `0644` never turn into something else.
"""


def markdown() -> str:
    """The page docs/reference/host-yaml.md."""
    schema = json_schema()
    kinds = {"HostSpec": schema, **schema["definitions"]}
    order = [*_ORDER, *sorted(kinds.keys() - set(_ORDER))]
    return _HEAD + "".join(_section(name, kinds[name], schema) for name in order)


def _section(name: str, kind: dict[str, Any], schema: dict[str, Any]) -> str:
    lines = [f"\n## {_title(name)}\n", f"{kind['description']}\n"]
    lines += ["| key | value | default | |", "|---|---|---|---|"]
    required = kind.get("required", ())
    for key, value in kind["properties"].items():
        default = "required" if key in required else _default(value)
        form = _form(value, schema).replace("|", "\\|")
        lines.append(f"| `{key}` | {form} | {default} | {value['description']} |")
    return "\n".join(lines) + "\n"


def _title(name: str) -> str:
    titles = {"HostSpec": "The file", "InstanceSpec": "instances.NAME", "ProxySpec": "proxy"}
    titles |= {"GpuSettingsSpec": "gpu_settings", "UpstreamSpec": "proxy.upstreams[]"}
    titles |= {"Timeouts": "proxy.timeouts", "PowerLimit": "gpu_settings.power_limit_watts[]"}
    titles |= {"GpuSelector": "A choice of GPUs", "NumaPin": "numa as a mapping"}
    titles |= {"MemorySpec": "memory"}
    return titles.get(name, "A reference to a secret" if name == "Secret" else name)


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    if default is None or default in ({}, []):
        return ""
    if isinstance(default, dict):
        return "see below"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _form(value: dict[str, Any], schema: dict[str, Any]) -> str:
    if "allOf" in value:
        return _form(value["allOf"][0], schema)
    if "anyOf" in value:
        forms = [_form(one, schema) for one in value["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(forms))
    if "$ref" in value:
        return _named(value["$ref"].rsplit("/", 1)[1], schema)
    if "enum" in value:
        return " or ".join(f"`{one}`" for one in value["enum"])
    return _typed(value, schema)


def _named(name: str, schema: dict[str, Any]) -> str:
    keys = ", ".join(schema["definitions"][name]["properties"])
    return f"`{{{keys}}}`" if len(keys) < 40 else f"a mapping: {_title(name)}"


def _typed(value: dict[str, Any], schema: dict[str, Any]) -> str:
    kind = value.get("type")
    if kind == "array":
        return f"a list of {_form(value['items'], schema)}"
    if kind == "object":
        return f"a mapping of names to {_form(value['additionalProperties'], schema)}"
    if kind in ("integer", "number"):
        low = value.get("minimum", value.get("exclusiveMinimum"))
        above = "above " if "exclusiveMinimum" in value else ""
        most = f" to {value['maximum']}" if "maximum" in value else " or more"
        return f"{above}{low}{most}" if low is not None else "a number"
    if kind == "boolean":
        return "`true` or `false`"
    return "an absolute path" if str(value.get("pattern", "")).startswith("^/[^") else "text"
