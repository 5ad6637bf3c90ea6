"""Users and folders: sysusers.d and tmpfiles.d."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provision.engines.registry import engine_named
from provision.host.bundle import Artifact
from provision.plan.plan import Plan

from . import paths
from .directives import keeps_folders
from .templates import fill

_TITLES: Mapping[str, str] = {
    "ollama": "Ollama inference server",
    "vllm": "vLLM inference server",
    "llama-server": "llama.cpp inference server",
}
_PRIVATE = ("/home", "/root", "/run/user", "/tmp", "/var/tmp", "/dev", "/proc", "/sys")


@dataclass(frozen=True, slots=True)
class Account:
    user: str
    title: str
    home: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A line of tmpfiles.d. With `:` a folder that is there keeps its mode and owner."""

    path: str
    mode: str
    user: str
    group: str


def engines_of(plan: Plan) -> tuple[str, ...]:
    """Names of the engines in use, sorted."""
    return tuple(sorted({launch.engine for launch in plan.instances}))


def users_of(plan: Plan) -> tuple[str, ...]:
    """System users that the instances run as, sorted."""
    return tuple(sorted({engine_named(name).user for name in engines_of(plan)}))


def accounts(plan: Plan) -> tuple[Artifact, Artifact]:
    """The sysusers.d and the tmpfiles.d file."""
    found = [
        Account(engine_named(name).user, _TITLES[name], paths.state_folder(name))
        for name in engines_of(plan)
    ]
    return (
        Artifact(paths.SYSUSERS, fill("sysusers.d/provision.conf", accounts=found)),
        Artifact(paths.TMPFILES, fill("tmpfiles.d/provision.conf", folders=_folders(plan))),
    )


def _folders(plan: Plan) -> tuple[Folder, ...]:
    """Same modes and owners as StateDirectory= and CacheDirectory= of the units."""
    found: dict[str, Folder] = {}
    for name in engines_of(plan):
        user = engine_named(name).user
        state, cache = paths.state_folder(name), paths.cache_folder(name)
        found[state] = Folder(state, "0750", user, user)
        found[cache] = Folder(cache, "0755", "root", "root")
    for launch in plan.instances:
        engine = engine_named(launch.engine)
        cache = f"{paths.cache_folder(launch.engine)}/{launch.name}"
        found[cache] = Folder(cache, "0750", engine.user, engine.user)
        if keeps_folders(plan.systemd):
            for path in engine.writable(launch):
                owner = f":{engine.user}"
                if not any(paths.is_below(path, folder) for folder in _PRIVATE):
                    found.setdefault(path, Folder(path, ":0755", owner, owner))
    return tuple(found[path] for path in sorted(found))
