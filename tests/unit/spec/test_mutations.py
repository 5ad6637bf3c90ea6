"""Whatever is done to a spec, it is read or refused with places: never another exception."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.host.errors import ProvisionError
from provision.spec.nodes import read_nodes
from provision.spec.read import read_spec
from provision.spec.request import inspect_request

from .specs import EVERYTHING

BASE: dict[str, Any] = read_nodes(EVERYTHING)[0]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["auto", "per-gpu", "0", "=list", "[key]", "a\nb", "%i", "$(id)", "/x", "127.0.0.1:1"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["count", "file", "nodes", "=map", "[key]", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["engin", "gpu", "model", "", "[key]", "=text", "a b", "é", "port", "x" * 90]
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = (
        list(value)
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else []
    )
    return [path for step in steps for path in [(*at, step), *paths(value[step], (*at, step))]]


ALL_PATHS = paths(BASE)
MUTATIONS = st.lists(
    st.tuples(st.sampled_from(ALL_PATHS), st.sampled_from(["drop", "rename", "set"]), KEYS, VALUES),
    min_size=1,
    max_size=4,
)


def mutate(spec: Any, path: tuple[Any, ...], action: str, key: str, value: Any) -> None:
    holder = spec
    for step in path[:-1]:
        if not isinstance(holder, (dict, list)) or (
            step not in holder
            if isinstance(holder, dict)
            else not isinstance(step, int) or step >= len(holder)
        ):
            return
        holder = holder[step]
    last = path[-1]
    if isinstance(holder, dict) and last in holder:
        old = holder.pop(last)
        if action != "drop":
            holder[key if action == "rename" else last] = old if action == "rename" else value
    elif isinstance(holder, list) and isinstance(last, int) and last < len(holder):
        if action == "drop":
            del holder[last]
        else:
            holder[last] = value


def read_or_complain(text: str) -> None:
    try:
        inspect_request(read_spec(text).spec)
    except ProvisionError as error:
        lines = text.removeprefix("\ufeff").split("\n")
        assert error.diagnostics
        for one in error.diagnostics:
            assert one.place is not None, one
            assert 1 <= one.place.line <= len(lines), one
            assert 1 <= one.place.column <= len(lines[one.place.line - 1]) + 1, one
            assert one.place.length >= 1
            assert "\n" not in one.message and "\n" not in (one.hint or ""), one
            assert "pydantic" not in str(one) and "Input should" not in str(one)


@settings(max_examples=300, deadline=None)
@given(MUTATIONS)
def test_a_mutated_spec(mutations: list[tuple[tuple[Any, ...], str, str, Any]]) -> None:
    spec = copy.deepcopy(BASE)
    for path, action, key, value in mutations:
        mutate(spec, path, action, key, value)
    read_or_complain(json.dumps(spec, indent=1, ensure_ascii=True))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(EVERYTHING)), st.integers(0, 40), st.text(max_size=6))
def test_a_spec_with_a_piece_cut_out_and_another_put_in(at: int, length: int, piece: str) -> None:
    read_or_complain(EVERYTHING[:at] + piece + EVERYTHING[at + length :])


@pytest.mark.parametrize(
    "path",
    [
        *(("proxy", "upstreams"), ("proxy", "listen"), ("proxy", "allow", 0), ("takeover",)),
        *(
            ("instances", "chat", key)
            for key in ("gpus", "port", "model", "args", "numa", "binary")
        ),
        *(("instances", "chat", "args", 0), ("instances", "chat", "gpus", 0)),
    ],
)
@pytest.mark.parametrize(
    "value",
    ["\n", "²", "9" * 5000, "0x" + "f" * 5000, "0\n,1", "fe80::1%\n", "a:b\n", "\ud800", "\u2028"],
)
def test_awkward_text_in_many_keys(path: tuple[Any, ...], value: str) -> None:
    spec = copy.deepcopy(BASE)
    mutate(spec, path, "set", "", value)
    read_or_complain(json.dumps(spec, indent=1))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(EVERYTHING)))
def test_a_truncated_spec(length: int) -> None:
    read_or_complain(EVERYTHING[:length])


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    read_or_complain(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    try:
        read_spec(data)
    except ProvisionError as error:
        assert all(one.place for one in error.diagnostics)
