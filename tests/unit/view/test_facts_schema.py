"""The schema of the facts: it is one, facts fit it, and every field says what it is."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

import provision.host.facts as facts_package
from provision.host.document import to_plain
from provision.host.facts import Facts, Stable, System
from provision.view.facts_schema import facts_schema, field_comments

HOSTS = sorted((Path(__file__).parents[2] / "golden" / "hosts").glob("*/facts.json"))
# Names that say all there is to say.
PLAIN = {
    "address", "hostname", "id", "index", "link", "local_cpus", "model", "name", "numa_node",
    "path", "pid", "point", "port", "program", "serial", "unit", "uuid", "vendor", "version",
}  # fmt: skip
DATACLASSES: list[type] = [
    getattr(facts_package, name)
    for name in facts_package.__all__
    if dataclasses.is_dataclass(getattr(facts_package, name))
]


def test_it_is_a_schema_and_recorded_facts_fit_it() -> None:
    schema = facts_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    check = jsonschema.Draft7Validator(schema)
    assert len(HOSTS) >= 9
    for path in HOSTS:
        assert not list(check.iter_errors(json.loads(path.read_text()))), path


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"version": 2}, ["version"]),
        ({"stable": None}, ["stable"]),
        ({"more": 1}, []),
        ({"findings": [{"rule": "x"}]}, ["findings", 0]),
    ],
)
def test_other_documents_do_not_fit(change: dict[str, object], path: list[object]) -> None:
    plain = to_plain(Facts(Facts.VERSION, Stable(System("box"))))
    errors = list(jsonschema.Draft7Validator(facts_schema()).iter_errors({**plain, **change}))
    assert [list(error.path) for error in errors][:1] == [path]


@pytest.mark.parametrize("kind", DATACLASSES, ids=lambda kind: kind.__name__)
def test_every_field_is_described(kind: type) -> None:
    told = field_comments(kind)
    names = {field.name for field in dataclasses.fields(kind)}
    nested = {
        field.name
        for field in dataclasses.fields(kind)
        if any(one.__name__ in str(field.type) for one in DATACLASSES)
    }
    assert not names - set(told) - PLAIN - nested


def test_a_comment_becomes_the_description() -> None:
    node = facts_schema()["definitions"]["NumaNode"]
    assert node["properties"]["memory_mib"]["type"] == ["integer", "null"]
    assert node["properties"]["memory_mib"]["description"] == "its MemTotal."
    assert node["properties"]["distances"]["additionalProperties"] == {"type": "integer"}
