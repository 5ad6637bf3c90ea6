"""The paths of a request: what stands there, on which mount, and of models what they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from provision.host.facts import Mount
from provision.host.inspect.source import LiveSource, Source
from provision.host.inspect.storage.mounts import read_mounts
from provision.host.inspect.storage.paths import read_paths
from provision.host.run import Ran

from .models.files import LLAMA, PARAMETERS, WEIGHTS, Gguf, Host

MOUNTS = (Mount("/", network=False), Mount("/srv/models", network=False))


def test_a_recorded_tree_tells_sizes_but_not_who_may_read(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.file("/srv/models/a.bin", "x" * 10)
    host.link("/data", "/srv/models")
    paths = ("/srv/models/b.gguf", "/srv/models", "/srv/models/a.bin", "/data/a.bin", "/data/a.bin")
    found = read_paths(host.source, paths, MOUNTS)
    assert [(one.path, one.kind, one.size_bytes, one.mount) for one in found] == [
        ("/data/a.bin", "file", 10, "/srv/models"),
        ("/srv/models", "directory", None, "/srv/models"),
        ("/srv/models/a.bin", "file", 10, "/srv/models"),
        ("/srv/models/b.gguf", None, None, "/srv/models"),
    ]
    assert [one.readable for one in found] == [None] * 4
    assert [one.model for one in found] == [None] * 4


def test_models_are_read_and_keys_are_not(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.file("/srv/a.gguf", Gguf(LLAMA, WEIGHTS).content)
    host.file("/etc/llm/key", "sk-secret")
    key, model = read_paths(host.source, ("/srv/a.gguf", "/etc/llm/key"), MOUNTS)
    assert model.model is not None
    assert (model.mount, model.model.parameters) == ("/", PARAMETERS)
    assert (key.kind, key.size_bytes, key.model) == ("file", 9, None)
    assert set(host.source.opened) == {"/srv/a.gguf"}


def test_the_running_machine(tmp_path: Path) -> None:
    here = str(tmp_path)
    missing, file, pipe = f"{here}/not/yet/there", f"{here}/file", f"{here}/pipe.gguf"
    Path(file).write_text("hello")
    os.mkfifo(pipe)
    source = LiveSource()
    paths = (missing, file, pipe, here)
    mounts = read_mounts(source, paths)
    by_path = {one.path: one for one in read_paths(source, paths, mounts)}
    assert (by_path[file].size_bytes, by_path[file].readable) == (5, True)
    assert (by_path[here].kind, by_path[here].readable) == ("directory", True)
    assert by_path[missing].kind is None
    assert by_path[missing].mount == by_path[file].mount
    assert by_path[file].mount in {one.point for one in mounts}
    assert (by_path[pipe].kind, by_path[pipe].model) == ("other", None)


@pytest.mark.parametrize("path", ["relative/path", "", "/nul\0"])
def test_strange_paths_are_not_there(tmp_path: Path, path: str) -> None:
    for source in (LiveSource(), Source(tmp_path)):
        (found,) = read_paths(source, (path,), MOUNTS)
        assert (found.kind, found.mount, found.model) == (None, None, None)


class DeadServer(Source):
    """A tree on which every file system of another host is silent; whoever looks there, fails."""

    def run(self, argv: Sequence[str], timeout: float = 10) -> Ran:
        return Ran(tuple(argv), 124, "", f"no end within {timeout} s")

    def status(self, path: str) -> os.stat_result | None:
        assert not path.startswith("/mnt/dead"), f"looked at {path}"
        return super().status(path)


def test_nothing_on_a_dead_server_is_looked_at(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.file("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
              "33 22 0:51 / /mnt/dead rw - nfs gone:/x rw,hard\n")  # fmt: skip
    host.file("/mnt/dead/a.gguf", Gguf(LLAMA, WEIGHTS).content)
    host.link("/srv/a.gguf", "/mnt/dead/a.gguf")
    source = DeadServer(tmp_path)
    paths = ("/srv/a.gguf", "/mnt/dead/a.gguf")
    for found in read_paths(source, paths, read_mounts(source, paths)):
        assert (found.kind, found.mount, found.model) == (None, "/mnt/dead", None)
