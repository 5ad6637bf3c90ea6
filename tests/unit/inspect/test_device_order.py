"""CUDA_DEVICE_ORDER in the files that shells read."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.inspect.system.device_order import read_device_order, set_order

from .tree import Machine


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("export CUDA_DEVICE_ORDER=PCI_BUS_ID\n", "PCI_BUS_ID"),
        ("CUDA_DEVICE_ORDER='PCI_BUS_ID'", "PCI_BUS_ID"),
        ('  CUDA_DEVICE_ORDER="FASTEST_FIRST"\n', "FASTEST_FIRST"),
        ("CUDA_DEVICE_ORDER=PCI_BUS_ID\nCUDA_DEVICE_ORDER=FASTEST_FIRST\n", "FASTEST_FIRST"),
        ("# export CUDA_DEVICE_ORDER=PCI_BUS_ID\n", None),
        ("MY_CUDA_DEVICE_ORDER=PCI_BUS_ID\n", None),
        ("CUDA_DEVICE_ORDER=SOMETHING\n", None),
        ("", None),
    ],
)
def test_assignments(text: str, order: str | None) -> None:
    assert set_order(text) == order


def test_files(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert read_device_order(machine.tree) is None
    machine.file("/etc/environment", "PATH=/usr/bin\n")
    assert read_device_order(machine.tree) == "FASTEST_FIRST"
    machine.file("/etc/profile.d/provision-gpu.sh", "export CUDA_DEVICE_ORDER=PCI_BUS_ID\n")
    machine.file("/etc/profile.d/notes.txt", "CUDA_DEVICE_ORDER=FASTEST_FIRST\n")
    assert read_device_order(machine.tree) == "PCI_BUS_ID"
