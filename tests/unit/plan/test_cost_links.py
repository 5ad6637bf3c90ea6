"""What joins a group: the worst pair, its bandwidth, and whether data goes through the host."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from provision.host.facts import Gpu, GpuLink, NvLink, PathClass, PcieLink, Vendor
from provision.host.quantity import PciAddress
from provision.plan.cost.links import Joint, joint_of
from provision.plan.cost.nvlink import nvlink_gbs
from provision.plan.machine.gpus import GpuTable

GEN4 = PcieLink(16.0, 16, 16)


def gpus(
    name: str, count: int, link: PcieLink | None = GEN4, version: int | None = None
) -> list[Gpu]:
    vendor: Vendor = "amd" if "AMD" in name else "nvidia"
    wires = (NvLink(0, True, version),) if version else ()
    return [
        Gpu(n, f"GPU-{n:02}", PciAddress(0, n + 1, 0, 0), vendor, name, link=link, nvlinks=wires)
        for n in range(count)
    ]


def joined(
    cards: list[Gpu],
    path: PathClass | None = "PHB",
    nvlinks: Mapping[tuple[int, int], int] | int = 0,
    xgmi: int | None = None,
    p2p: bool | None = None,
) -> Joint:
    links = {
        (a.uuid, b.uuid): GpuLink(
            a.uuid,
            b.uuid,
            path,
            nvlinks if isinstance(nvlinks, int) else nvlinks.get((a.index, b.index), 0),
            xgmi,
            p2p,
        )
        for a, b in itertools.combinations(cards, 2)
    }
    return joint_of(cards, GpuTable(tuple(cards), links))


def test_one_gpu() -> None:
    joint = joined(gpus("NVIDIA H100 80GB HBM3", 1))
    assert (joint.kind, joint.latency_us, joint.text) == ("none", 0.0, "one GPU")


@pytest.mark.parametrize(
    ("name", "links", "version", "one_way"),
    [
        ("Tesla P100-SXM2-16GB", 1, 1, 20),
        ("Tesla V100-SXM2-32GB", 2, 2, 50),
        ("NVIDIA GeForce RTX 3090", 4, 4, 56.25),
        ("NVIDIA RTX A6000", 4, None, 56.25),
        ("NVIDIA A100-SXM4-80GB", 12, 4, 300),
        ("NVIDIA H100 80GB HBM3", 18, 6, 450),
        ("NVIDIA H100 80GB HBM3", 18, None, 450),
        ("NVIDIA B200", 18, 7, 900),
        ("NVIDIA B200", 18, None, 900),
    ],
)
def test_nvlink(name: str, links: int, version: int | None, one_way: float) -> None:
    cards = gpus(name, 2, version=version)
    assert nvlink_gbs(cards[0]) * links == pytest.approx(one_way)
    joint = joined(cards, nvlinks=links)
    assert joint.kind == "nvlink"
    assert joint.gbs == pytest.approx(0.8 * one_way)
    assert joint.p2p is True
    assert joint.text == f"joined by {links} NVLink{'s' if links > 1 else ''}"


def test_worst_pair_of_a_partly_linked_group() -> None:
    """Two bridged pairs of RTX 3090 are a PCIe group of four."""
    joint = joined(gpus("NVIDIA GeForce RTX 3090", 4), nvlinks={(0, 1): 4, (2, 3): 4})
    assert joint.kind == "pcie"
    assert joint.p2p is False
    assert joint.text == ("2 of 6 pairs by NVLink, the rest on PCIe 4.0 x16 without peer access")
    assert joint.gbs == pytest.approx(31.504 * 0.8 / 2 * (2 / 4) ** (1 / 3))


def test_fewest_links_of_a_mesh() -> None:
    """V100 cube: some pairs have two links, some one."""
    links = {(0, 1): 2, (0, 2): 1, (1, 2): 2}
    joint = joined(gpus("Tesla V100-SXM2-16GB", 3, version=2), nvlinks=links)
    assert joint.gbs == pytest.approx(20)
    assert joint.text == "joined by 1 NVLink"


def test_nvlink_that_does_not_work_is_not_counted_on() -> None:
    """A fabric that is down: links are there, and the driver says that peers do not work."""
    joint = joined(gpus("NVIDIA H100 80GB HBM3", 8), "NODE", nvlinks=18, p2p=False)
    assert joint.kind == "pcie"
    assert joint.p2p is False


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("PIX", "pcie-switch", "on one PCIe switch, PCIe 4.0 x16"),
        ("PXB", "pcie-switch", "on one PCIe switch, PCIe 4.0 x16"),
        ("PHB", "pcie", "on PCIe 4.0 x16"),
        ("NODE", "pcie", "on PCIe 4.0 x16"),
        ("SYS", "socket", "across sockets, PCIe 4.0 x16"),
        (None, "socket", "by an unknown way, PCIe 4.0 x16"),
    ],
)
def test_paths(path: PathClass | None, kind: str, text: str) -> None:
    joint = joined(gpus("NVIDIA L40S", 2), path, p2p=True)
    assert (joint.kind, joint.text) == (kind, text)


def test_further_is_never_better() -> None:
    cards = gpus("NVIDIA L40S", 4)
    ways: list[PathClass] = ["PIX", "PHB", "SYS"]
    for near, far in itertools.pairwise([joined(cards, path, p2p=True) for path in ways]):
        assert near.gbs >= far.gbs
        assert near.latency_us < far.latency_us


def test_the_narrowest_card_decides() -> None:
    """A board that gives the second slot four lanes."""
    first, second = gpus("NVIDIA RTX A6000", 2)
    narrow = Gpu(1, second.uuid, second.address, name=second.name, link=PcieLink(16.0, 4, 16))
    joint = joined([first, narrow], p2p=True)
    assert joint.gbs == pytest.approx(4 * 1.969 * 0.8)
    assert joint.text == "on PCIe 4.0 x4"


def test_unknown_link_counts_as_pcie_3() -> None:
    joint = joined(gpus("NVIDIA RTX A6000", 2, link=None), p2p=True)
    assert joint.gbs == pytest.approx(16 * 0.985 * 0.8)
    assert joint.text == "on PCIe of unknown width"


@pytest.mark.parametrize(
    ("name", "told", "peers"),
    [
        ("NVIDIA GeForce RTX 5090", None, False),
        ("NVIDIA GeForce RTX 4090", None, False),
        ("NVIDIA GeForce RTX 4090", True, True),  # a patched driver says OK
        ("NVIDIA GeForce RTX 3090", None, False),
        ("NVIDIA GeForce GTX 1080 Ti", None, None),
        ("NVIDIA L40S", None, None),
        ("NVIDIA L40S", False, False),
        ("NVIDIA L40S", True, True),
        ("AMD Radeon RX 7900 XTX", None, None),
    ],
)
def test_peer_access(name: str, told: bool | None, peers: bool | None) -> None:
    joint = joined(gpus(name, 2), p2p=told)
    assert joint.p2p is peers
    direct = joined(gpus(name, 2), p2p=True)
    if peers is False:
        assert joint.gbs == pytest.approx(direct.gbs / 2)
        assert joint.latency_us > direct.latency_us
        assert joint.text.endswith("without peer access")
    else:
        assert (joint.gbs, joint.latency_us) == (direct.gbs, direct.latency_us)


def test_xgmi() -> None:
    joint = joined(gpus("AMD Instinct MI300X", 8), xgmi=1)
    assert joint.kind == "xgmi"
    assert joint.gbs == pytest.approx(64 * 0.8)
    assert joint.text == "joined by 1 XGMI link"


@pytest.mark.parametrize("path", ["PIX", "PHB", "SYS"])
def test_more_gpus_wait_longer(path: PathClass) -> None:
    waits = [joined(gpus("NVIDIA L40S", n), path).latency_us for n in (2, 4, 8)]
    assert waits == sorted(set(waits))
