"""nodes: the two parsers see the same, and nothing of YAML 1.1 is left."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.host.errors import ProvisionError
from provision.spec.nodes import loaders, read_nodes
from provision.spec.scalars import resolve

from .specs import EVERYTHING, SMALLEST

PIECES = [
    *("a", "b: ", "- ", "\n", "  ", "    ", ":", "[", "]", "{", "}", ",", "'x'", '"y"', "|\n"),
    *("0644", "true", "é", "#c", "---\n", "x\n  y", "1.5", "key: value\n", "? ", "\r\n", ">-\n"),
]


def read(text: str, loader: type[Any]) -> tuple[Any, Any]:
    try:
        return read_nodes(text, loader=loader)
    except ProvisionError as error:
        return [(one.rule, one.message, one.place) for one in error.diagnostics], None


@pytest.mark.skipif(len(loaders()) < 2, reason="PyYAML was built without libyaml")
@pytest.mark.parametrize(
    "text", [SMALLEST, EVERYTHING, "a:\n- \n-\n- - \nb:\nc: # no\n", "a: |\n  x\n"]
)
def test_both_parsers_give_the_same_values_and_places(text: str) -> None:
    fast, pure = (read_nodes(text, loader=one) for one in loaders())
    assert fast[0] == pure[0]
    assert fast[1].same_marks(pure[1])


@pytest.mark.skipif(len(loaders()) < 2, reason="PyYAML was built without libyaml")
@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_both_parsers_agree_on_any_text(text: str) -> None:
    (fast, fast_places), (pure, pure_places) = (read(text, one) for one in loaders())
    if "#" in text and ("|" in text or ">" in text):
        return  # libyaml lets a comment follow | or > at once; the pure parser wants a space
    assert fast == pure
    assert fast_places is None or fast_places.same_marks(pure_places)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("true", True), ("false", False), ("null", None), ("~", None), ("", None)),
        *(("0", 0), ("-7", -7), ("8080", 8080), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0)),
    ],
)
def test_words_that_mean_something(text: str, value: object) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "on",
        "yes",
        "off",
        "y",
        "True",
        "NULL",
        "0644",
        "0o644",
        "0x1F",
        "0b1",
        "1_000",
        "12:30:45",
        "2024-01-31",
        ".inf",
        ".nan",
        "1.",
        "+",
        "-",
        ".",
        "1e",
        "00.5",
        "<<",
        "=",
    ],
)
def test_words_that_stay_text(text: str) -> None:
    assert resolve(text) == (float(text) if text == "1." else text)


def test_whatever_is_written_yaml_1_1_is_not_asked() -> None:
    """Every word that the YAML 1.1 loader turns into something is looked at here."""
    for text in ("no", "0644", "12:30:45", "2024-01-31", "1_000", "0x1F"):
        assert not isinstance(yaml.safe_load(text), str)
        assert read_nodes(f"a: {text}\n")[0] == {"a": text}


def test_keys_are_text_as_written() -> None:
    assert read_nodes("on: 1\n8080: 2\ntrue: 3\n~: 4\n")[0] == {
        "on": 1,
        "8080": 2,
        "true": 3,
        "~": 4,
    }


def test_a_billion_laughs_do_not_grow() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    names = "abcdefghij"
    lines += [f"{n}: &{n} [{', '.join(['*' + p] * 9)}]" for p, n in itertools.pairwise(names)]
    with pytest.raises(ProvisionError) as caught:
        read_nodes("\n".join(lines))
    assert {one.rule for one in caught.value.diagnostics} == {"no-anchors"}


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{a: "])
@pytest.mark.parametrize("loader", loaders())
def test_deep_nesting_ends_in_a_complaint(opening: str, loader: type[Any]) -> None:
    with pytest.raises(ProvisionError) as caught:
        read_nodes("a:\n " + opening * 20000, loader=loader)
    assert caught.value.diagnostics[-1].rule in ("too-deep", "bad-yaml")
