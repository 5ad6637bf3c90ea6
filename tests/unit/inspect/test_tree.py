from __future__ import annotations

import os
from pathlib import Path

from provision.host.inspect.tree import Tree

from .tree import Machine


def test_links_cannot_lead_out_of_a_recorded_tree(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "host")
    (tmp_path / "secret").write_text("outside")
    machine.file("/etc/secret", "inside")
    machine.link("/etc/absolute", "/etc/secret")
    machine.link("/etc/climbing", "../../../../../../../etc/secret")
    machine.link("/etc/out", f"{tmp_path}/secret")
    machine.link("/folder", "/etc")
    tree = machine.tree
    assert tree.text("/etc/absolute") == "inside"
    assert tree.text("/etc/climbing") == "inside"
    assert tree.text("/folder/../folder/secret") == "inside"
    assert tree.text("/etc/out") is None
    assert tree.text("/../secret") is None
    assert tree.real("/etc/absolute") == "/etc/secret"


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.link("/a", "b")
    machine.link("/b", "a")
    assert machine.tree.at("/a") is None
    assert machine.tree.text("/a") is None
    assert machine.tree.names("/a") == ()
    assert machine.tree.status("/a") is None


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    (tmp_path / "bytes").write_bytes(b" \xff ok\n\n")
    assert machine.tree.text("/pipe") is None
    assert machine.tree.text("/") is None
    assert machine.tree.text("/bytes") == "� ok"
    assert machine.tree.text("/nul\0") is None


def test_numbers_and_cpu_files(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/n", "-1\n")
    machine.file("/word", "one\n")
    machine.file("/empty", "\n")
    machine.file("/mask", "3\n")
    tree = machine.tree
    assert tree.number("/n") == -1
    assert tree.number("/word") is None
    assert tree.number("/none") is None
    assert str(tree.cpus("/word", "/mask")) == "0-1"
    empty = tree.cpus("/empty", "/mask")  # a node without CPUs has an empty list
    assert empty is not None
    assert len(empty) == 0
    assert tree.cpus("/none", "/word") is None


def test_the_root_folder_is_the_live_machine() -> None:
    assert Tree().live
    assert Tree().text("/proc/self/comm")
    assert not Tree(Path("/tmp")).live
