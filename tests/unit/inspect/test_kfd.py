from __future__ import annotations

import pytest

from provision.host.inspect.drm.kfd import (
    KfdLink,
    KfdNode,
    gfx_name,
    kfd_link,
    kfd_node,
    nodes_of,
    properties,
)
from provision.host.quantity import PciAddress

MI210 = """\
cpu_cores_count 0
simd_count 416
mem_banks_count 1
gfx_target_version 90010
vendor_id 4098
location_id 25344
domain 0
drm_render_minor 128
hive_id 0
local_mem_size 0
unique_id 11870522362913226752
"""


def test_a_node_of_a_gpu() -> None:
    assert kfd_node(3, properties(MI210), 5012) == KfdNode(
        number=3,
        address=PciAddress.parse("0000:63:00.0"),
        gpu_id=5012,
        gfx="gfx90a",
        unique_id=11870522362913226752,
        render_minor=128,
    )


def test_nodes_of_cpus_and_broken_ones_are_no_gpus() -> None:
    assert kfd_node(0, properties("cpu_cores_count 64\nsimd_count 0\nlocation_id 0\n"), 0) is None
    assert kfd_node(0, properties("simd_count 64\n"), None) is None
    assert properties("simd_count -1\nname ip discovery\nhive_id 9999999999999999999999\n") == {}


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (90402, "gfx942"),
        (90010, "gfx90a"),
        (90008, "gfx908"),
        (90500, "gfx950"),
        (100300, "gfx1030"),
        (110001, "gfx1101"),
        (110501, "gfx1151"),
        (120001, "gfx1201"),
        (0, None),
        (None, None),
        (10**18, None),
    ],
)
def test_gfx_names(version: int | None, name: str | None) -> None:
    assert gfx_name(version) == name


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("type 11\nnode_to 4\nweight 15\nflags 1\n", KfdLink(4, 1, True)),
        ("type 11\nnode_to 4\nmin_bandwidth 50000\nmax_bandwidth 100000\n", KfdLink(4, 2, True)),
        ("type 11\nnode_to 4\nweight 30\nflags 1\n", KfdLink(4, 0, True)),
        ("type 2\nnode_to 4\nweight 72\nflags 17\n", KfdLink(4, 0, False)),
        ("type 11\nweight 15\n", None),
        ("", None),
    ],
)
def test_links(text: str, link: KfdLink | None) -> None:
    assert kfd_link(properties(text)) == link


def test_nodes_belong_to_devices_by_address_then_by_slot() -> None:
    devices = [PciAddress.parse(text) for text in ("05:00.0", "06:02.0", "06:02.1", "1:07:00.0")]
    nodes = [
        KfdNode(number, PciAddress.parse(text))
        for number, text in enumerate(("05:00.0", "05:00.3", "06:02.1", "06:02.5", "07:00.0"), 1)
    ]
    found = nodes_of(nodes, devices)
    numbers = {str(one): [node.number for node in here] for one, here in found.items()}
    assert numbers == {
        "0000:05:00.0": [1, 2],  # the second is a partition of an older kernel
        "0000:06:02.0": [],
        "0000:06:02.1": [3],  # virtual functions: 06:02.5 could be of either
        "0001:07:00.0": [],  # another domain
    }
