"""How the processors of a node are told: counts, ranges, caches, kinds, colours of instances."""

from __future__ import annotations

import pytest

from provision.host.facts import Cpu, NumaNode
from provision.host.quantity import CpuSet
from provision.view.picture.colours import CORE, SHARED
from provision.view.picture.cores import cores_height, draw_cores, node_cores, ranges
from provision.view.picture.scene import Cells, Frame, Text
from provision.view.picture.seats import Seat

from .machines import cpu, cpus, laptop, many_nodes, nodes


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        (range(8), "0-7"),
        ([*range(8), *range(64, 72)], "0-7,64-71"),
        (range(0, 64, 2), "0-62 (every 2nd)"),
        ([*range(1, 32, 4), *range(65, 96, 4)], "1-29,65-93 (every 4th)"),
        ([0, 2], "0,2"),
        ([], ""),
        ([5], "5"),
    ],
)
def test_ranges_are_told_as_people_read_them(ids: list[int], text: str) -> None:
    assert ranges(CpuSet.of(ids)) == text


def test_one_cache_needs_no_captions() -> None:
    of = cpu(2, 56)
    told = node_cores(nodes(of, 2, 1000)[0], of)
    assert told.summary == "56 cores, 112 threads: CPUs 0-55,112-167"
    assert told.captions == () and len(told.bunches) == 1


def test_each_cache_has_its_ranges() -> None:
    facts = many_nodes()
    told = node_cores(facts.stable.numa_nodes[1], facts.stable.cpu)
    assert told.summary == "16 cores, 32 threads, 2 last level caches"
    assert told.captions == ("16-23,144-151", "24-31,152-159")


def test_kinds_of_cores_stand_apart() -> None:
    facts = laptop()
    told = node_cores(facts.stable.numa_nodes[0], facts.stable.cpu)
    assert told.summary == "14 cores, 20 threads"
    assert told.captions == ("performance 0-11", "efficiency 12-19")


def test_cpus_without_a_core_are_shown_all_the_same() -> None:
    told = node_cores(NumaNode(0, cpus("0-3")), Cpu(cores=(cpus("0-1"),)))
    assert told.summary == "3 cores, 4 threads: CPUs 0-3"
    assert [len(core) for core in told.bunches[0].cores] == [2, 1, 1]


def test_a_node_of_thousands_of_cpus_is_told_in_words() -> None:
    told = node_cores(NumaNode(0, CpuSet.of(range(4096))), Cpu())
    assert told.bunches == () and told.summary == "4096 cores: CPUs 0-4095"
    area = Frame(0, 0, 300, cores_height(told, 300))
    assert all(isinstance(item, Text) for item in draw_cores(told, area, ()))


def test_every_thread_is_painted_once_in_the_colour_of_its_instance() -> None:
    of = cpu(1, 8)
    told = node_cores(nodes(of, 1, 1000)[0], of)
    one = Seat("a", "vllm", 1, "", (), cpus("0-3,8-11"), "#111111")
    other = Seat("b", "vllm", 2, "", (), cpus("3-4"), "#222222")
    area = Frame(0, 0, 300, cores_height(told, 300))
    painted = {
        item.fill: item.frames
        for item in draw_cores(told, area, (one, other))
        if isinstance(item, Cells)
    }
    counts = {fill: len(frames) for fill, frames in painted.items()}
    assert counts == {"#111111": 7, "#222222": 1, SHARED: 1, CORE[0]: 7}
    cells = [frame for frames in painted.values() for frame in frames]
    assert all(area.holds(frame) for frame in cells)
    assert not any(
        here.overlaps(there) for at, here in enumerate(cells) for there in cells[at + 1 :]
    )
