"""docs/reference/facts.md is what the code says."""

from __future__ import annotations

from pathlib import Path

from provision.view.facts_reference import facts_page
from provision.view.facts_schema import facts_schema

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/facts.md"


def test_the_page_is_up_to_date(update_golden: bool) -> None:
    if update_golden:
        PAGE.write_text(facts_page())
    assert PAGE.read_text() == facts_page(), "pytest --update-golden writes it"


def test_every_definition_has_a_part() -> None:
    page = facts_page()
    for name in facts_schema()["definitions"]:
        assert f"## {name}\n" in page or f"- {name}: " in page
