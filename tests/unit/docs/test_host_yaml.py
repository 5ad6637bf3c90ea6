"""docs/reference/host-yaml.md says what the schema says; every YAML block in the docs is read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from provision.spec.read import read_spec
from provision.spec.reference import markdown
from provision.spec.schema import json_schema

CHECKOUT = Path(__file__).resolve().parents[3]
PAGE = CHECKOUT / "docs/reference/host-yaml.md"
EXAMPLES = sorted((CHECKOUT / "examples").glob("*.yaml"))
PAGES = sorted([CHECKOUT / "README.md", *CHECKOUT.glob("docs/**/*.md")])
BLOCKS = [
    pytest.param(block, f"{page.name}", id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S))
    if block.startswith("version:")
]


def test_page_is_up_to_date(update_golden: bool) -> None:
    if update_golden:
        PAGE.write_text(markdown())
    assert PAGE.read_text() == markdown()


@pytest.mark.parametrize(("block", "page"), BLOCKS)
def test_every_example_is_read(block: str, page: str) -> None:
    assert read_spec(block, page).spec.instances


def test_the_schema_beside_the_examples_is_up_to_date(update_golden: bool) -> None:
    path = CHECKOUT / "examples/host.schema.json"
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if update_golden:
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_read_and_name_their_schema(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=./host.schema.json\n")
    assert read_spec(text, path.name).spec.instances
