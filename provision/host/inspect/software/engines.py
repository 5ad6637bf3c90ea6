"""Engines on the host: where they lie and which version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...facts import EngineFound, InspectRequest
from ..source import Source
from .tabbyapi import read_checkouts
from .venvs import PACKAGES, engine_at, engines_in, usual_homes

_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/snap/bin")
_PROGRAMS = ("llama-server", "ollama")
_VERSION_SECONDS = 10.0
_MOST = 64  # folders looked into below /opt
USERS = ("llama-server", "ollama", "ray", "sglang", "tabbyapi", "vllm")


def read_engines(source: Source, request: InspectRequest) -> tuple[EngineFound, ...]:
    """The engines by name; of each, programs on PATH first, then the ones the request names.

    A program is listed once however many links lead to it, but under the request's own path too.
    """
    found: dict[tuple[str, str], EngineFound] = {}
    for one in (*_usual_programs(source), *_usual_packages(source)):
        found[one.engine, one.path] = one
    for venv in request.venvs:
        for installed in engines_in(source, venv.rstrip("/")):
            one = installed.engine
            found.setdefault((one.engine, one.path), one)
    known = {path for _, path in found}
    for path in request.binaries:
        named = _named(source, path) if path not in known and source.may_run(path) else None
        if named:
            found[named.engine, path] = named
    for one in read_checkouts(source, request.venvs):
        found[one.engine, one.path] = one
    return tuple(sorted(found.values(), key=lambda one: one.engine))


def versions_of(source: Source, programs: Iterable[str]) -> dict[str, str]:
    """The versions of these programs, without those that do not tell theirs."""
    named = (_named(source, path) for path in programs if source.may_run(path))
    return {one.path: one.version for one in named if one and one.version}


def read_users(source: Source) -> tuple[str, ...]:
    """Those of the engines' users that /etc/passwd holds."""
    lines = (source.text("/etc/passwd") or "").splitlines()
    names = {line.partition(":")[0] for line in lines}
    return tuple(name for name in USERS if name in names)


def engine_of(path: str, said: str) -> str | None:
    """Which engine a program named in a spec is: by its file name, else by what it says."""
    name = path.rpartition("/")[2].lower()
    if name == "ray":
        return "ray"
    for engine, word in (
        ("ollama", "ollama"),
        ("vllm", "vllm"),
        ("sglang", "sglang"),
        ("llama-server", "llama"),
    ):
        if word in name:
            return engine
    if ollama_version(said):
        return "ollama"
    return "llama-server" if llama_server_version(said) else None


def ollama_version(said: str) -> str | None:
    """The program's own version in the output of `ollama --version`.

    With a server running that differs, both stand there: `ollama version is` is the server's then.
    """
    client = re.search(r"client version is v?(\d\S*)", said)
    match = client or re.search(r"ollama version is v?(\d\S*)", said)
    return match[1] if match else None


def llama_server_version(said: str) -> str | None:
    """The build number in `version: 11549 (abcdef1)`."""
    match = re.search(r"^version: (\S+)", said, re.MULTILINE)
    return match[1] if match else None


def _usual_programs(source: Source) -> Iterator[EngineFound]:
    """ollama and llama-server where packages, installers and people put them."""
    opt = [f"/opt/{name}" for name in source.names("/opt")[:_MOST]]
    folders = [
        *_FOLDERS,
        *(f"{one}/bin" for one in opt),
        *(f"{one}/build/bin" for one in opt),
        *opt,
    ]
    kept: set[tuple[str, str]] = set()
    for folder in folders:
        for engine in _PROGRAMS:
            path = f"{folder}/{engine}"
            if not source.may_run(path):
                continue
            real = (engine, source.real(path))
            if real not in kept:  # /usr/local/bin/ollama is often a link to the same program
                kept.add(real)
                yield _program(engine, path, _said_version(source, path))


def _usual_packages(source: Source) -> Iterator[EngineFound]:
    """vllm, sglang and ray in the environments that are where people put them."""
    kept: set[tuple[str, str]] = set()
    for home in usual_homes(source):
        for installed in engines_in(source, home):
            key = (installed.engine.engine, installed.place)
            if key not in kept:
                kept.add(key)
                yield installed.engine


def _named(source: Source, path: str) -> EngineFound | None:
    """A program that the request names; a Python engine is known by its name and not run."""
    engine = engine_of(path, "")
    if engine in PACKAGES:
        return engine_at(source, engine, path).engine
    said = _said_version(source, path)
    engine = engine or engine_of(path, said)
    return _program(engine, path, said) if engine else None


def _program(engine: str, path: str, said: str) -> EngineFound:
    parse = ollama_version if engine == "ollama" else llama_server_version
    return EngineFound(engine, path, parse(said))


def _said_version(source: Source, path: str) -> str:
    """What `PROGRAM --version` prints; nothing where it must not be run."""
    if not source.may_trust(path):
        return ""
    ran = source.run([*_without_gpus(source), path, "--version"], timeout=_VERSION_SECONDS)
    return "" if ran.code == 127 else ran.said


def _without_gpus(source: Source) -> tuple[str, ...]:
    """llama-server built for CUDA or ROCm opens every GPU before it prints its version.

    Symptom: `ggml_cuda_init: found 8 CUDA devices` above the version, seconds where persistence is
    off. Source: common_params_parser_init loads all backends first (llama.cpp, common/arg.cpp).
    """
    env = "/usr/bin/env"
    hidden = ("CUDA_VISIBLE_DEVICES=-1", "HIP_VISIBLE_DEVICES=-1")
    return (env, *hidden) if source.may_run(env) else ()
