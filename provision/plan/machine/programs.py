"""Which program serves an instance: the one that the spec names, else the one that was found."""

from __future__ import annotations

from dataclasses import dataclass

from provision.host.facts import EngineFound, Facts
from provision.spec.model import HostSpec, InstanceSpec
from provision.spec.request import inspect_request

from ..complaints import Complaints
from ..wording import listed

_INSTALL = {
    "ollama": "curl -fsSL https://ollama.com/install.sh | sh, or name it: binary: /path/to/ollama",
    "vllm": "python3 -m venv /opt/vllm && /opt/vllm/bin/pip install vllm, then venv: /opt/vllm",
    "llama-server": "build or unpack llama.cpp, put llama-server into /usr/local/bin, or name it: "
    "binary: /path/to/llama-server",
}


@dataclass(frozen=True, slots=True)
class Program:
    """path is what the unit starts. others: what else was found and not taken."""

    path: str
    version: str | None = None
    others: tuple[str, ...] = ()


_HOMES = ("/root/", "/home/")


def program_of(group: str, spec: HostSpec, facts: Facts, complaints: Complaints) -> Program:
    """The program of a group; an error with the way to install it when it is missing."""
    instance = spec.instances[group]
    found = [one for one in facts.stable.engines if one.engine == instance.engine]
    wanted = _wanted(instance)
    if wanted is not None:
        return _named(group, wanted, found, spec, facts, complaints)
    # Units run without access to homes (ProtectHome=), and as users that may not enter them.
    usable = [one for one in found if not one.path.startswith(_HOMES)]
    if usable:
        first, *rest = usable
        return Program(first.path, first.version, tuple(one.path for one in rest))
    private = f" but at {found[0].path}, which a service may not enter" if found else ""
    complaints.error(
        "no-engine",
        f"{group}: engine is {instance.engine}, which was not found on the host{private}",
        *("instances", group, "engine"),
        hint=_INSTALL[instance.engine],
    )
    return Program(f"/usr/local/bin/{instance.engine}")


def _wanted(instance: InstanceSpec) -> str | None:
    """The path that the spec asks for."""
    if instance.binary is not None:
        return instance.binary
    return f"{instance.venv.rstrip('/')}/bin/vllm" if instance.venv is not None else None


def _named(
    group: str,
    path: str,
    found: list[EngineFound],
    spec: HostSpec,
    facts: Facts,
    complaints: Complaints,
) -> Program:
    match = next((one for one in found if one.path == path), None)
    if match is not None:
        return Program(match.path, match.version)
    instance = spec.instances[group]
    key = "binary" if instance.binary is not None else "venv"
    have = listed(one.path for one in found)
    there = f"found instead: {have}" if have else _INSTALL[instance.engine]
    what = "no such program was found" if key == "binary" else f"{path} was not found"
    message = f"{group}: {key} is {getattr(instance, key)}, but {what}"
    if taken_for(spec, facts):
        complaints.error("no-engine", message, "instances", group, key, hint=there)
    else:
        complaints.warning(
            "not-looked-at",
            f"{message}: the facts were taken without this host.yaml",
            *("instances", group, key),
            hint="take them again with it, or let apply look",
        )
    return Program(path)


def taken_for(spec: HostSpec, facts: Facts) -> bool:
    """Whether the facts were taken with this spec's request: every path of it is answered."""
    return set(inspect_request(spec).paths) <= {one.path for one in facts.stable.paths}
