"""Who leaves and who comes back: a route is never left without anybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.host.bundle import Nginx, UpstreamServer
from provision.host.watch.judge import Judgement, Kind, Sign
from provision.host.watch.switch import Switch, switch_of

NAMES = ("a", "b", "c", "d")


def nginx(routes: dict[str, str], *with_backup: str) -> Nginx:
    """Routes with the letters of their members."""
    servers = tuple(
        UpstreamServer(route, name, f"/{route}/{name}.conf", "up", "down")
        for route, names in routes.items()
        for name in names
    )
    return Nginx(servers=servers, with_backup=with_backup)


def judged(out: str, kinds: dict[str, Kind] | None = None) -> dict[str, Judgement]:
    """All four, those of `out` judged out, dead unless said otherwise."""
    kinds = kinds or {}
    return {
        name: Judgement(name in out, last=Sign(kinds.get(name, "dead") if name in out else "token"))
        for name in NAMES
    }


@pytest.mark.parametrize(
    ("routes", "out", "ours", "others", "expected"),
    [
        ({"r": "ab"}, "", "", "", Switch()),
        ({"r": "ab"}, "a", "", "", Switch(leave=("a",))),
        ({"r": "ab"}, "a", "a", "", Switch()),
        ({"r": "ab"}, "", "a", "", Switch(back=("a",))),
        ({"r": "a"}, "a", "", "", Switch(kept=("a",))),
        ({"r": "ab"}, "ab", "", "", Switch(leave=("a",), kept=("b",))),
        ({"r": "ab"}, "ab", "a", "", Switch(kept=("b",))),
        ({"r": "ab"}, "b", "a", "", Switch(back=("a",), leave=("b",))),  # a comes back first
        ({"r": "ab"}, "a", "", "b", Switch(kept=("a",))),  # an apply is at work on b
        ({"r": "ab"}, "a", "", "a", Switch()),  # and on a itself
        ({"r": "ab", "s": "a"}, "a", "", "", Switch(kept=("a",))),  # last of another route
        ({"r": "ab", "s": "bc"}, "ac", "", "", Switch(leave=("a", "c"))),
        ({"r": "bc"}, "a", "", "", Switch()),  # no route leads to it
        ({"r": "bc"}, "", "x", "", Switch(back=("x",))),  # no longer in the plan
    ],
)
def test_what_is_switched(
    routes: dict[str, str], out: str, ours: str, others: str, expected: Switch
) -> None:
    assert switch_of(nginx(routes), judged(out), ours, others) == expected


def test_a_route_with_a_backup_may_be_left() -> None:
    assert switch_of(nginx({"r": "ab"}, "r"), judged("ab"), "", "").leave == ("a", "b")
    both = nginx({"r": "ab", "s": "ab"}, "r")
    assert switch_of(both, judged("ab"), "", "").kept == ("b",)


def test_who_answers_nonsense_stays_rather_than_who_is_dead() -> None:
    kinds: dict[str, Kind] = {"a": "wrong", "b": "hung", "c": "dead"}
    found = switch_of(nginx({"r": "abc"}), judged("abc", kinds), "", "")
    assert found == Switch(leave=("b", "c"), kept=("a",))


@given(
    st.dictionaries(st.sampled_from("rst"), st.sets(st.sampled_from(NAMES), min_size=1)),
    st.sets(st.sampled_from(NAMES)),
    st.sets(st.sampled_from(NAMES)),
    st.sets(st.sampled_from(NAMES)),
    st.sets(st.sampled_from("rst")),
)
def test_nobody_is_the_last_to_leave(
    routes: dict[str, set[str]],
    out: set[str],
    ours: set[str],
    others: set[str],
    backups: set[str],
) -> None:
    made = nginx({route: "".join(sorted(names)) for route, names in routes.items()}, *backups)
    done = switch_of(made, judged("".join(out)), ours, others)
    away = (ours - set(done.back)) | others | set(done.leave)
    for route, names in routes.items():
        if names & set(done.leave) and route not in backups:
            assert names - away, (route, done)
    assert not set(done.leave) & (ours | others)
    assert set(done.back) <= ours
    assert set(done.leave) | set(done.kept) <= out
