from __future__ import annotations

import os
from pathlib import Path

import pytest

from provision.host.inspect.paths import read_paths
from provision.host.inspect.tree import Tree

from .tree import Machine


def test_a_recorded_tree_tells_sizes_but_no_room(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/srv/models/a.gguf", "x" * 10)
    found = read_paths(machine.tree, ("/srv/models/b.gguf", "/srv/models", "/srv/models/a.gguf"))
    assert [(one.path, one.kind, one.size_bytes, one.free_bytes) for one in found] == [
        ("/srv/models", "directory", None, None),
        ("/srv/models/a.gguf", "file", 10, None),
        ("/srv/models/b.gguf", None, None, None),
    ]
    assert [one.readable for one in found] == [True, True, None]


def test_live_paths_have_room_even_before_they_exist(tmp_path: Path) -> None:
    here = str(tmp_path)
    missing, file, pipe = f"{here}/not/yet/there", f"{here}/file", f"{here}/pipe"
    Path(file).write_text("hello")
    os.mkfifo(pipe)
    by_path = {one.path: one for one in read_paths(Tree(), (missing, file, pipe, file))}
    assert len(by_path) == 3
    assert by_path[file].size_bytes == 5
    assert by_path[missing].kind is None
    assert (by_path[missing].free_bytes or 0) > 0
    assert by_path[pipe].kind == "other"


@pytest.mark.parametrize("path", ["relative/path", "", "/nul\0"])
def test_strange_paths_are_not_there(path: str) -> None:
    (found,) = read_paths(Tree(), (path,))
    assert (found.kind, found.free_bytes) == (None, None)
