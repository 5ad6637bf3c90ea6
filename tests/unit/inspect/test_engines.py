from __future__ import annotations

import os
from pathlib import Path

import pytest

from provision.host.facts import EngineFound, InspectRequest
from provision.host.inspect.engines import (
    engine_of,
    llama_server_version,
    ollama_version,
    read_engines,
    read_users,
    vllm_version,
)
from provision.host.inspect.nginx import parse_build, read_nginx
from provision.host.inspect.tree import Tree

from .tree import Machine

OLLAMA_ALONE = """\
Warning: could not connect to a running Ollama instance
Warning: client version is 0.13.5
"""
NGINX_V = """\
nginx version: nginx/1.22.1
built with OpenSSL 3.0.8 7 Feb 2023
TLS SNI support enabled
configure arguments: --with-cc-opt='-g -O2' --prefix=/usr/share/nginx \
--conf-path=/etc/nginx/other.conf --with-http_ssl_module --with-http_v2_module \
--with-http_geoip_module=dynamic --with-stream=dynamic
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
    assert read_engines(machine.tree, request) == (
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
    found = read_engines(Tree(), InspectRequest(binaries=(server, str(plain))))
    ours = [one for one in found if one.path.startswith(str(tmp_path))]
    assert ours == [EngineFound("llama-server", server, "11549")]


@pytest.mark.skipif(os.geteuid() != 0, reason="for root alone")
def test_root_does_not_run_what_others_may_write(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    program = _program(tmp_path / "ollama", f"touch {mark}; echo 'ollama version is 0.1.0'")
    Path(program).chmod(0o777)
    found = read_engines(Tree(), InspectRequest(binaries=(program,)))
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
    assert vllm_version(["vllm-0.9.1.dist-info"], None) == "0.9.1"
    assert vllm_version(["vllm_flash-1.dist-info"], None) is None


def test_what_a_program_is() -> None:
    assert engine_of("/a/ollama-0.13", "") == "ollama"
    assert engine_of("/a/server", "version: 11549 (abc)") == "llama-server"
    assert engine_of("/a/server", "ollama version is 1.0") == "ollama"
    assert engine_of("/a/server", "hello") is None


def test_users(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert read_users(machine.tree) == ()
    machine.file("/etc/passwd", "root:x:0:0::/:/bin/sh\nvllm:x:9:9::/:/x\nollama:x:8:8::/:/x\n")
    assert read_users(machine.tree) == ("ollama", "vllm")


def test_nginx_build() -> None:
    found = parse_build("/usr/sbin/nginx", NGINX_V)
    assert found.version == "1.22.1"
    assert found.configuration == "/etc/nginx/other.conf"
    assert found.modules == ("http_ssl_module", "http_v2_module")


def test_nginx_of_a_recorded_tree(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert read_nginx(machine.tree) is None
    machine.file("/usr/sbin/nginx", "")
    found = read_nginx(machine.tree)
    assert found is not None
    assert (found.path, found.version) == ("/usr/sbin/nginx", None)
    assert found.configuration == "/etc/nginx/nginx.conf"
