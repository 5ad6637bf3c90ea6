from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_links_on_every_part_of_a_way(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/sys/devices/pci0000:16/0000:16:01.0/vendor", "0x8086\n")
    machine.link("/sys/bus/pci/devices/0000:16:01.0", "../../../devices/pci0000:16/0000:16:01.0")
    machine.link("/sys/class/card/device", "../../bus/pci/devices/0000:16:01.0")
    machine.link("/again", "sys/./class//card/")
    tree = machine.tree
    assert tree.text("/again/device/vendor") == "0x8086"
    assert tree.real("/again/device") == "/sys/devices/pci0000:16/0000:16:01.0"
    assert tree.text("/again/device/../0000:16:01.0/vendor") == "0x8086"
    assert tree.names("/again/device/") == ("vendor",)
    assert tree.link("/sys/class/card/device") == "../../bus/pci/devices/0000:16:01.0"
    assert tree.link("/again/device/vendor") is None
    assert tree.kinds("/sys/class/card") == {"device": "link"}


def test_hostile_chains_of_links_end(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for at in range(60):  # more than the kernel follows
        machine.link(f"/chain/{at}", f"{at + 1}")
    machine.file("/chain/60", "end")
    machine.link("/grows", "grows/x")
    machine.link("/deep", "/".join(["d"] * 500))
    folder = "/".join(["d"] * 100)
    machine.link(f"/{folder}/back", f"/{folder}/back/../back")
    tree = machine.tree
    assert tree.text("/chain/30") == "end"
    for path in ("/chain/0", "/grows", "/grows/x/y", "/deep", f"/{folder}/back", "/a/" * 300):
        assert tree.at(path) is None, path
        assert tree.text(path) is None
        assert tree.status(path) is None


def test_the_tree_and_the_kernel_agree_on_links(tmp_path: Path) -> None:
    """In a tree without absolute links both lead to the same places."""
    machine = Machine(tmp_path)
    machine.file("/a/b/file", "1")
    machine.link("/a/up", "..")
    machine.link("/a/b/around", "../up/a/./b")
    machine.link("/a/none", "b/missing")
    for path in ("/a/up/a/b/file", "/a/b/around/around/file", "/a/none", "/a/b/../up", "/a/b/.."):
        assert str(machine.tree.at(path)) == os.path.realpath(f"{tmp_path}{path}")


def test_heads_and_odd_offsets(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(100)))
    tree = Tree(tmp_path)
    assert tree.head("/file", 10) == bytes(range(10))
    assert tree.head("/file", 10, 95) == bytes(range(95, 100))
    assert tree.head("/file", 10, 1000) == b""
    assert tree.head("/file", 0) == b""
    assert tree.head("/file", 10, -1) is None
    assert tree.head("/file", 10, 1 << 70) is None
    assert tree.head("/", 10) is None


@pytest.mark.parametrize("text", ["1_000", "٣", "0x10", "1.5", "9" * 5000, "1 2", "--1", "nan"])
def test_what_is_no_number(text: str, tmp_path: Path) -> None:
    Machine(tmp_path).file("/n", f"{text}\n")
    assert Tree(tmp_path).number("/n") is None


def test_absurd_sets_of_cpus_are_not_taken_apart(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/mask", "f" * (1 << 20))
    machine.file("/list", "0-4294967295\n")
    assert machine.tree.cpus("/list", "/mask") is None
    assert machine.tree.cpus("/mask") is None


def _calls(command: str) -> int:
    """System calls on files that a piece of code makes, interpreter and imports aside."""
    ran = [
        subprocess.run(
            [
                "strace",
                "-f",
                "-e",
                "trace=file,desc",
                "-o",
                "/dev/stdout",
                sys.executable,
                "-c",
                code,
            ],
            capture_output=True,
            text=True,
            cwd=_ROOT,
        )
        for code in (_PROLOGUE, _PROLOGUE + command)
    ]
    assert all(one.returncode == 0 for one in ran), ran[1].stderr
    one, two = (len(one.stdout.splitlines()) for one in ran)
    return two - one


_ROOT = Path(__file__).resolve().parents[3]
_PROLOGUE = "import sys; from pathlib import Path; from provision.host.inspect.tree import Tree\n"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_file_costs_few_system_calls(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for cpu in range(40):
        for name in "abcde":
            machine.file(f"/sys/devices/system/cpu/cpu{cpu}/topology/{name}", "1\n")
    read = (
        f"tree = Tree(Path({str(tmp_path)!r}))\n"
        "for cpu in range(40):\n"
        "    for name in 'abcde':\n"
        "        tree.text(f'/sys/devices/system/cpu/cpu{cpu}/topology/{name}')\n"
    )
    assert _calls(read) <= 40 * 5 * 7 + 40 * 3 + 50
