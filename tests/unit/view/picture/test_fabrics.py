"""Switches, meshes and pairs are told apart, and their lines never lie on each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.host.facts import Facts
from provision.view.picture.fabrics import Fabric, fabrics
from provision.view.picture.layout import machine_scene
from provision.view.picture.links import route
from provision.view.picture.scene import Frame, Line

from .machines import MACHINES, bridged, crossed, dgx, links, mi300x, orphans, sixteen


def kinds(facts: Facts) -> list[tuple[str, str, int, int | None]]:
    return [(one.kind, one.word, len(one.members), one.uniform) for one in fabrics(facts)]


def test_links_that_end_in_switches_are_one_fabric_with_a_count_for_each_gpu() -> None:
    (one,) = fabrics(dgx())
    assert (one.kind, one.counts, one.uniform) == ("switch", (18,) * 6 + (17, 18), None)


def test_more_links_than_a_gpu_has_tell_of_a_switch() -> None:
    facts = sixteen()
    gpus = facts.stable.gpus
    stable = replace(facts.stable, gpu_links=tuple(links(gpus, 6)))
    assert kinds(replace(facts, stable=stable)) == [("switch", "NVLink", 16, 6)]
    four = replace(stable, gpus=gpus[:4], gpu_links=tuple(links(gpus[:4], 4)))
    assert kinds(replace(facts, stable=four)) == [("mesh", "NVLink", 4, 4)]


def test_pairs_and_meshes() -> None:
    assert kinds(bridged()) == [("pair", "NVLink", 2, 4)] * 2
    assert kinds(mi300x()) == [("mesh", "XGMI", 8, 1)]
    assert [one[0] for one in kinds(crossed())] == ["pair"] * 16
    assert fabrics(orphans()) == ()


def test_a_link_to_a_gpu_that_is_not_there_is_left_out() -> None:
    facts = bridged()
    stable = replace(facts.stable, gpus=facts.stable.gpus[1:])
    assert kinds(replace(facts, stable=stable)) == [("pair", "NVLink", 2, 4)]


def test_tracks_keep_apart_what_would_lie_on_each_other() -> None:
    gpus = {name: Frame(200.0 * at, 0, 148, 60) for at, name in enumerate("abcd")}
    pairs = [Fabric("pair", "NVLink", (a, b), (2,)) for a, b in ("ab", "cd", "ad", "bc")]
    routed = route(pairs, gpus)
    tracks = {one.fabric.members: one.track for one in routed}
    assert tracks["a", "b"] == tracks["c", "d"] == 0
    assert tracks["a", "d"] > tracks["b", "c"] == 0, "each GPU has a port of its own for each"
    assert len({port for one in routed for port in one.ports}) == 8


@pytest.mark.parametrize("name", MACHINES)
def test_no_link_between_gpus_lies_on_another(name: str) -> None:
    scene = machine_scene(MACHINES[name]())
    strokes = [
        (item.stroke, index, start, end)
        for group in scene.groups
        if group.id == "links"
        for index, item in enumerate(group.items)
        if isinstance(item, Line) and item.stroke in ("#1b6b35", "#7d2450")
        for start, end in zip(item.points, item.points[1:], strict=False)
    ]
    for _, index, (x, y), (u, v) in strokes:
        for _, other, (x2, y2), (u2, v2) in strokes:
            if index < other and x == u == x2 == u2:
                assert max(y, v) <= min(y2, v2) or max(y2, v2) <= min(y, v)
            if index < other and y == v == y2 == v2:
                assert max(x, u) <= min(x2, u2) or max(x2, u2) <= min(x, u)
