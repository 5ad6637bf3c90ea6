"""The matrix: which word stands in which cell, and a legend of just those words."""

from __future__ import annotations

from dataclasses import replace

from provision.host.facts import Facts, Gpu, GpuLink, Nic, PciPath, Stable, System
from provision.host.quantity import PciAddress
from provision.view.matrix import matrix


def at(text: str) -> PciAddress:
    return PciAddress.parse(text)


GPUS = tuple(Gpu(n, f"GPU-{n}", at(f"0{n + 1}:00.0")) for n in range(3))
NIC = Nic(at("09:00.0"), "15b3", "1021", "0207", ("ib0",), ("mlx5_0",))
MACHINE = Facts(
    Facts.VERSION,
    Stable(
        System("box"),
        gpus=GPUS,
        nics=(NIC, Nic(at("0a:00.0"), "8086", "1572", "0200")),
        gpu_links=(
            GpuLink("GPU-0", "GPU-1", "SYS", 4, p2p=True),
            GpuLink("GPU-0", "GPU-2", "PHB", 0, p2p=False),
        ),
        pci_paths=(
            PciPath(at("01:00.0"), at("09:00.0"), "PIX"),
            PciPath(at("02:00.0"), at("03:00.0"), "NODE"),
        ),
    ),
)


def test_links_come_before_paths_and_unknown_stays_unknown() -> None:
    found = matrix(MACHINE)
    assert found is not None
    assert found.rows == ("GPU 0", "GPU 1", "GPU 2")
    assert found.columns == ("GPU0", "GPU1", "GPU2", "NIC0")
    assert found.cells == (
        ("X", "NV4", "PHB!", "PIX"),
        ("NV4", "X", "NODE", "?"),
        ("PHB!", "NODE", "X", "?"),
    )
    assert [word for word, _ in found.legend] == ["NV#", "PIX", "PHB", "NODE", "!", "?"]
    assert found.nics == (("NIC0", "mlx5_0"),)


def test_amd_links_and_cards_without_rdma() -> None:
    links = (GpuLink("GPU-0", "GPU-1", "SYS", xgmi=1),)
    plain = Nic(at("0b:00.0"), "8086", "1572", "0200", ("eth0",))
    amd = replace(MACHINE.stable, gpu_links=links, nics=(plain,))
    found = matrix(replace(MACHINE, stable=amd))
    assert found is not None
    assert found.cells[0] == ("X", "XGMI", "?", "?")
    assert found.nics == (("NIC0", "eth0"),)
    # Beside cards that carry the GPUs' traffic nobody asks about the others.
    both = matrix(replace(MACHINE, stable=replace(amd, nics=(plain, NIC))))
    assert both is not None and both.nics == (("NIC0", "mlx5_0"),)


def test_the_driver_may_call_one_node_far() -> None:
    near = tuple(replace(gpu, numa_node=0) for gpu in GPUS)
    far = GpuLink("GPU-0", "GPU-1", "SYS", 0)
    found = matrix(replace(MACHINE, stable=replace(MACHINE.stable, gpus=near, gpu_links=(far,))))
    assert found is not None
    assert "on one node too" in dict(found.legend)["SYS"]


def test_nothing_to_join() -> None:
    alone = Stable(System("box"), gpus=GPUS[:1])
    assert matrix(Facts(Facts.VERSION, alone)) is None
    nics_alone = Stable(System("box"), nics=(NIC, NIC))
    assert matrix(Facts(Facts.VERSION, nics_alone)) is None
    beside = Stable(System("box"), gpus=GPUS[:1], nics=(NIC,))
    assert matrix(Facts(Facts.VERSION, beside)) is not None
