"""Which ways in nobody serves for a while."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from provision.host.balancer.gaps import gaps
from provision.host.bundle import (
    Bundle,
    Expectation,
    Instance,
    InstanceRuntime,
    Nginx,
    UpstreamServer,
)
from provision.host.facts import Placed
from provision.host.report import Gap, UnitChange

WHY = "environment changed"


def unit(name: str) -> str:
    return f"vllm@{name}.service"


def instance(name: str) -> Instance:
    return Instance(
        name,
        name.partition(".")[0],
        "vllm",
        unit(name),
        "d" * 64,
        InstanceRuntime(1, name),
        Expectation("vllm"),
        Placed(name, "vllm", unit(name)),
    )


def bundle(
    routes: Mapping[str, Sequence[str]], *direct: str, backup: tuple[str, ...] = ()
) -> Bundle:
    names = dict.fromkeys([*(one for members in routes.values() for one in members), *direct])
    servers = tuple(
        UpstreamServer(route, name, f"/x/{route}/{name}.conf", "up", "down")
        for route, members in routes.items()
        for name in members
    )
    nginx = Nginx(servers=servers, with_backup=backup) if routes else None
    return Bundle(1, "box", "0", instances=tuple(instance(one) for one in names), nginx=nginx)


def restart(*names: str) -> list[UnitChange]:
    return [UnitChange(unit(one), "restart", WHY) for one in names]


def start(*names: str) -> list[UnitChange]:
    return [UnitChange(unit(one), "start", "is inactive") for one in names]


def stop(*names: str, why: str = "no longer wanted") -> list[UnitChange]:
    return [UnitChange(unit(one), "stop", why) for one in names]


PAIR = bundle({"chat": ["chat.0", "chat.1"]})
SINGLE = bundle({"chat": ["chat.0"], "small": ["small.0", "small.1"]})


def test_replicas_one_after_the_other_leave_no_gap() -> None:
    assert gaps(PAIR, PAIR, restart("chat.0", "chat.1"), {}) == ()


def test_the_only_replica_leaves_one_as_long_as_its_start() -> None:
    changes = restart("chat.0", "small.0", "small.1")
    assert gaps(SINGLE, SINGLE, changes, {unit("chat.0"): 41.25}) == (
        Gap("chat", ("chat.0",), f"its only replica is restarted: {WHY}", 41.2),
    )
    assert gaps(SINGLE, SINGLE, changes, {})[0].seconds is None


def test_nothing_is_new_or_dropped_or_dead_already() -> None:
    assert gaps(SINGLE, None, start("chat.0", "small.0", "small.1"), {}) == ()
    assert gaps(SINGLE, PAIR, [*stop("chat.1"), *start("small.0", "small.1")], {}) == ()
    assert gaps(SINGLE, SINGLE, start("chat.0"), {}) == ()
    assert gaps(bundle({}), SINGLE, stop("chat.0", "small.0", "small.1"), {}) == ()


def test_the_other_replica_does_not_run() -> None:
    (gap,) = gaps(PAIR, PAIR, [*restart("chat.0"), *start("chat.1")], {unit("chat.0"): 3.0})
    assert gap == Gap(
        "chat",
        ("chat.0", "chat.1"),
        f"chat.0 is restarted ({WHY}) while chat.1 does not run",
        3.0,
    )
    assert gaps(PAIR, PAIR, [*start("chat.1"), *restart("chat.0")], {}) == ()


def test_those_that_make_room_for_each_other_count_together() -> None:
    changes = [
        *stop("chat.0", why="port 8001 goes to chat.1"),
        *stop("chat.1", why="port 8000 goes to chat.0"),
        *restart("chat.0", "chat.1"),
    ]
    known = {unit("chat.0"): 10.0, unit("chat.1"): 20.0}
    assert gaps(PAIR, PAIR, changes, known) == (
        Gap(
            "chat",
            ("chat.0", "chat.1"),
            "chat.1 is stopped (port 8000 goes to chat.0) while chat.0 does not run",
            10.0,
        ),
    )


def test_other_starts_within_a_gap_make_it_longer() -> None:
    two = bundle({"chat": ["chat.0"], "small": ["small.0"]})
    changes = [
        *stop("chat.0", why="a GPU goes to small.0"),
        *stop("small.0", why="a GPU goes to chat.0"),
        *restart("chat.0", "small.0"),
    ]
    known = {unit("chat.0"): 10.0, unit("small.0"): 5.0}
    found = gaps(two, two, changes, known)
    assert [(one.service, one.seconds) for one in found] == [("chat", 10.0), ("small", 15.0)]


def test_members_that_are_all_replaced() -> None:
    new = bundle({"chat": ["talk.0", "talk.1"]})
    changes = [*stop("chat.0", "chat.1"), *start("talk.0", "talk.1")]
    assert gaps(new, PAIR, changes, {}) == (
        Gap(
            "chat",
            ("chat.0", "chat.1", "talk.0", "talk.1"),
            "chat.0 and chat.1 leave, talk.0 and talk.1 do not run yet",
            None,
        ),
    )


def test_who_is_dropped_serves_until_his_turn_comes() -> None:
    new = bundle({"chat": ["talk.0"]})
    assert gaps(new, PAIR, [*start("talk.0"), *stop("chat.0", "chat.1")], {}) == ()
    one = bundle({"chat": ["chat.0"]})
    assert gaps(one, PAIR, [*restart("chat.0"), *stop("chat.1")], {}) == ()
    assert len(gaps(one, PAIR, [*stop("chat.1"), *restart("chat.0")], {})) == 1


def test_one_more_replica_lets_the_old_one_serve() -> None:
    one = bundle({"chat": ["chat.0"]})
    assert gaps(PAIR, one, [*start("chat.1"), *restart("chat.0")], {}) == ()


def test_three_become_two() -> None:
    three = bundle({"chat": ["chat.0", "chat.1", "chat.2"]})
    assert gaps(PAIR, three, stop("chat.2"), {}) == ()


def test_an_instance_without_a_route_is_a_way_in() -> None:
    alone = bundle({}, "deep.0")
    assert gaps(alone, alone, restart("deep.0"), {unit("deep.0"): 2.0}) == (
        Gap("deep.0", ("deep.0",), f"it is restarted: {WHY}", 2.0),
    )


def test_a_route_with_a_backup_is_served_by_that() -> None:
    backed = dataclasses.replace(
        SINGLE, nginx=dataclasses.replace(SINGLE.nginx or Nginx(), with_backup=("chat",))
    )
    assert gaps(backed, SINGLE, restart("chat.0"), {}) == ()


def test_nothing_is_lost_where_nginx_does_not_run() -> None:
    changes = [*restart("chat.0"), UnitChange("nginx.service", "start", "is inactive")]
    assert gaps(SINGLE, SINGLE, changes, {}) == ()


def test_a_way_in_is_called_by_its_path() -> None:
    made = bundle({"route_7": ["small.0"]})
    nginx = dataclasses.replace(made.nginx or Nginx(), paths={"route_7": "/small/"})
    named = dataclasses.replace(made, nginx=nginx)
    (gap,) = gaps(named, made, restart("small.0"), {})
    assert gap.service == "/small/"


def test_one_instance_behind_two_routes_leaves_two() -> None:
    both = bundle({"root": ["chat.0"], "chat": ["chat.0"]})
    assert [one.service for one in gaps(both, both, restart("chat.0"), {})] == ["chat", "root"]
