"""The JSON Schema: draft-07, described throughout, and of one mind with the reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from provision.host.errors import ProvisionError
from provision.spec.nodes import read_nodes
from provision.spec.read import read_spec
from provision.spec.schema import json_schema

from .specs import EVERYTHING, SMALLEST

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
# Rules of one value alone: what breaks these is refused by the schema as well.
IN_SCHEMA = {
    "unknown-key",
    "missing-key",
    "not-a-choice",
    "out-of-range",
    "empty",
    "bad-name",
    "bad-text",
}


def objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for one in node.values():
            yield from objects(one)
    elif isinstance(node, list):
        for one in node:
            yield from objects(one)


def errors(text: str) -> list[str]:
    plain, _ = read_nodes(text)
    validator = jsonschema.Draft7Validator(json_schema())
    return [one.message for one in validator.iter_errors(plain)]


def test_it_is_draft_07() -> None:
    schema = json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["title"].startswith("host.yaml")
    assert "$id" not in schema


def test_every_key_is_described() -> None:
    schema = json_schema()
    seen = 0
    for node in [schema, *schema["definitions"].values()]:
        assert node["description"]
        for key, one in node.get("properties", {}).items():
            assert len(one.get("description", "")) > 8, key
            assert "\n" not in one["description"]
            assert not set(one) & {"$ref"}, f"{key}: draft-07 ignores a description beside $ref"
            seen += 1
    assert seen > 35


def test_nothing_of_pydantic_is_left() -> None:
    text = json.dumps(json_schema())
    for word in ("$defs", "discriminator", "oneOf", "patternProperties", "const", "=list", "=text"):
        assert f'"{word}"' not in text
    for node in objects(json_schema()["definitions"]):
        assert not isinstance(node.get("title"), str)
        assert node.get("default", 0) is not None


def test_defaults_are_said() -> None:
    instance = json_schema()["definitions"]["InstanceSpec"]["properties"]
    assert instance["gpus"]["default"] == "auto"
    assert instance["replicas"]["default"] == 1
    assert "default" not in instance["port"]


def test_each_call_gives_a_copy() -> None:
    json_schema()["properties"].clear()
    assert json_schema()["properties"]


@pytest.mark.parametrize("text", [SMALLEST, EVERYTHING, *(one.read_text() for one in EXAMPLES)])
def test_good_specs_pass(text: str) -> None:
    assert errors(text) == []
    read_spec(text)


GOLDEN = sorted((ROOT / "tests" / "golden" / "errors").glob("*/host.yaml"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.parent.name)
def test_the_schema_refuses_what_the_reader_refuses_by_itself(path: Path) -> None:
    with pytest.raises(ProvisionError) as caught:
        read_spec(path.read_bytes())
    if {one.rule for one in caught.value.diagnostics} & IN_SCHEMA:
        assert errors(path.read_text(encoding="utf-8"))
