"""Where a host's spec and facts come from on the controller: inventory variables, files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from provision.host.errors import ProvisionError, fail


@dataclass(frozen=True, slots=True)
class SpecText:
    """A spec as text, and how it is called in complaints."""

    text: str
    name: str


def plain(value: Any) -> Any:
    """A value without Ansible's own types (tagged strings, lazy mappings), as JSON knows it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [plain(one) for one in value]
    raise fail("bad-spec", f"a {type(value).__name__} cannot stand in a spec: {value!r:.60}")


def spec_text(host: str, spec: Any, spec_file: Any, folder: str | None) -> SpecText | None:
    """A host's spec as text; None when it has none.

    spec: a mapping from the inventory. spec_file: a path, relative to folder (the inventory's).
    ProvisionError when there are both, or the file cannot be read.
    """
    if spec and spec_file:
        raise fail(
            "two-specs",
            f"{host}: provision_spec and provision_spec_file are both set",
            "keep one of them for each host",
        )
    if spec_file:
        return _from_file(host, Path(plain(spec_file)).expanduser(), folder)
    if not spec:
        return None
    if not isinstance(spec, Mapping):
        raise fail(
            "bad-spec",
            f"{host}: provision_spec is {plain(spec)!r:.80}, it must be a mapping",
            "a file's name goes into provision_spec_file",
        )
    text = yaml.safe_dump(plain(spec), sort_keys=False, allow_unicode=True, width=10_000)
    return SpecText(text, f"provision_spec of {host}")


def _from_file(host: str, path: Path, folder: str | None) -> SpecText:
    whole = path if path.is_absolute() else Path(folder or ".") / path
    try:
        return SpecText(whole.read_text(encoding="utf-8-sig"), str(whole))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise fail("unreadable", f"{host}: provision_spec_file {whole}: {why}") from None


def needed(host: str, spec: SpecText | None) -> SpecText:
    """The spec, or a ProvisionError that says how to give the host one."""
    if spec is None:
        raise fail(
            "no-spec",
            f"{host}: the inventory gives it no spec",
            f"host_vars/{host}.yaml with provision_spec or provision_spec_file, or leave the host "
            "out: --limit, or -e provision_hosts=GROUP",
        )
    return spec


def file_name(host: str, suffix: str = ".json") -> str:
    """A file's name for a host; no inventory name leads out of the folder."""
    safe = quote(host, safe="[]:@ ")
    return (f"%2E{safe[1:]}" if safe.startswith(".") else safe) + suffix


def recorded_facts(folder: Path, host: str) -> Any:
    """A host's recorded facts in their JSON form. ProvisionError when they cannot be read."""
    path = folder / file_name(host)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise fail(
            "no-facts",
            f"{host}: {path}: {error.strerror}",
            "provision fleet inspect --facts-dir DIR records them",
        ) from None
    except ValueError as error:
        raise fail("bad-document", f"{host}: {path}: not JSON: {error}") from None


def problems_text(error: ProvisionError) -> str:
    """All complaints, one after the other."""
    return "\n".join(str(one) for one in error.diagnostics)
