"""Engines on the host: ollama, llama-server and vllm, where they lie and which version."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..facts import EngineFound, InspectRequest
from ..run import run
from .tree import Tree

_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/snap/bin")
_PROGRAMS = ("llama-server", "ollama", "vllm")
_VERSION_SECONDS = 10.0
USERS = ("llama-server", "ollama", "vllm")


def read_engines(tree: Tree, request: InspectRequest) -> tuple[EngineFound, ...]:
    """The engines by name; of each, programs on PATH first, then the ones the request names."""
    found: dict[str, EngineFound] = {}
    kept: set[tuple[str, str]] = set()
    for engine, path in _usual(tree):
        real = (engine, tree.real(path))
        if real not in kept:  # /usr/local/bin/ollama is often a link to the same program
            kept.add(real)
            found[path] = _engine(tree, engine, path)
    for venv in request.venvs:
        path = f"{venv.rstrip('/')}/bin/vllm"
        if path not in found and _is_program(tree, path):
            found[path] = _engine(tree, "vllm", path)
    for path in request.binaries:
        if path not in found and _is_program(tree, path):
            said = _said_version(tree, path)
            named = engine_of(path, said)
            if named:
                found[path] = _engine(tree, named, path, said)
    return tuple(sorted(found.values(), key=lambda one: one.engine))


def read_users(tree: Tree) -> tuple[str, ...]:
    """Those of the engines' users that /etc/passwd holds."""
    lines = (tree.text("/etc/passwd") or "").splitlines()
    names = {line.partition(":")[0] for line in lines}
    return tuple(name for name in USERS if name in names)


def engine_of(path: str, said: str) -> str | None:
    """Which engine a program named in a spec is: by its file name, else by what it says."""
    name = path.rpartition("/")[2].lower()
    for engine, words in (("ollama", "ollama"), ("vllm", "vllm"), ("llama-server", "llama")):
        if words in name:
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


def vllm_version(names: Iterable[str], metadata: str | None) -> str | None:
    """vLLM's version in site-packages: the METADATA file, else the name of its folder."""
    match = re.search(r"^Version: (\S+)", metadata or "", re.MULTILINE)
    if match:
        return match[1]
    folder = (re.fullmatch(r"vllm-(\d.*)\.dist-info", name) for name in names)
    return next((one[1] for one in folder if one), None)


def _usual(tree: Tree) -> Iterator[tuple[str, str]]:
    """The places where packages, installers and people put the programs."""
    opt = [f"/opt/{name}" for name in tree.names("/opt")]
    folders = [
        *_FOLDERS,
        *(f"{one}/bin" for one in opt),
        *(f"{one}/build/bin" for one in opt),
        *opt,
    ]
    for folder in folders:
        for engine in _PROGRAMS:
            path = f"{folder}/{engine}"
            if _is_program(tree, path):
                yield engine, path


def _is_program(tree: Tree, path: str) -> bool:
    # A recorded tree may have lost its modes.
    place = tree.at(path)
    return tree.is_file(path) and (not tree.live or os.access(place or path, os.X_OK))


def _engine(tree: Tree, engine: str, path: str, said: str | None = None) -> EngineFound:
    if engine == "vllm":
        # Its --version imports PyTorch: seconds, and a GPU may be touched. The files tell as well.
        home = path.rpartition("/bin/")[0]
        venv = home if tree.is_file(f"{home}/pyvenv.cfg") else None
        return EngineFound(engine, path, _vllm_in(tree, home), venv)
    said = _said_version(tree, path) if said is None else said
    parse = ollama_version if engine == "ollama" else llama_server_version
    return EngineFound(engine, path, parse(said))


def _vllm_in(tree: Tree, home: str) -> str | None:
    for lib in ("lib", "lib64"):
        for python in tree.names(f"{home}/{lib}"):
            if not python.startswith("python3"):
                continue
            for site in ("site-packages", "dist-packages"):
                folder = f"{home}/{lib}/{python}/{site}"
                names = [one for one in tree.names(folder) if one.startswith("vllm-")]
                for name in names:
                    version = vllm_version([name], tree.text(f"{folder}/{name}/METADATA"))
                    if version:
                        return version
    return None


def _said_version(tree: Tree, path: str) -> str:
    """What `PROGRAM --version` prints; nothing where it must not be run."""
    if not tree.live or not _may_be_run(path):
        return ""
    return run([path, "--version"], timeout=_VERSION_SECONDS).said


def _may_be_run(path: str) -> bool:
    """Root runs only what root alone can have put there."""
    if os.geteuid() != 0:
        return True
    try:
        status = Path(path).stat()
    except OSError:
        return False
    return status.st_uid == 0 and not status.st_mode & 0o022
