"""Every complaint about host.yaml, word for word: tests/golden/errors/<case>/expected.txt."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provision.host.errors import Diagnostic, ProvisionError
from provision.spec.read import read_spec

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "errors"
CASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
PYDANTIC = re.compile(
    r"pydantic|Input should|validation error|=text|=list|=mapping|\[key\]|_branch"
)


def complaints(case: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(ProvisionError) as caught:
        read_spec((GOLDEN / case / "host.yaml").read_bytes())
    return caught.value.diagnostics


@pytest.mark.parametrize("case", CASES)
def test_complaints_are_as_expected(case: str, request: pytest.FixtureRequest) -> None:
    found = "\n".join(f"{one}\n   rule: {one.rule}" for one in complaints(case)) + "\n"
    expected = GOLDEN / case / "expected.txt"
    if request.config.getoption("--update-golden"):
        expected.write_text(found, encoding="utf-8")
    assert {path.name for path in (GOLDEN / case).iterdir()} == {"host.yaml", "expected.txt"}
    assert found == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_every_complaint_has_a_place_and_speaks_our_words(case: str) -> None:
    lines = (GOLDEN / case / "host.yaml").read_bytes().decode("utf-8", "replace").split("\n")
    for one in complaints(case):
        assert one.place is not None
        assert 1 <= one.place.line <= len(lines)
        assert 1 <= one.place.column <= len(lines[one.place.line - 1]) + 1
        assert not PYDANTIC.search(str(one)), str(one)


def test_no_complaint_shows_a_secret() -> None:
    """The cases hold made-up ones; a complaint shows its line, so they are covered there."""
    cases = [case for case in CASES if "secret" in case and case != "env-and-secrets"]
    assert len(cases) >= 4
    for case in cases:
        text = (GOLDEN / case / "expected.txt").read_text(encoding="utf-8")
        assert not re.search("geheim|abcdef|mypass|Zk9f|9f86|12345", text), case
        assert "***" in text


def emitted_rules() -> set[str]:
    """The rule names that stand in the source: first arguments of the calls that complain."""
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "provision" / "spec").rglob("*.py")
    )
    call = r"(?:Diagnostic|\.complain|\.add|\.make)\(\s*"
    return set(re.findall(call + r'"([a-z-]+)"', source)) | set(
        re.findall(r'\brule = "([a-z-]+)"', source)
    )


def test_every_rule_has_a_case() -> None:
    emitted = emitted_rules()
    covered = {one.rule for case in CASES for one in complaints(case)}
    assert not emitted - covered - {"too-large"}, "rules without a golden case"
    assert not covered - emitted, "the pattern above misses a call"
    assert len(emitted) > 50


def test_a_file_that_is_too_large() -> None:
    """Its golden case would be a megabyte."""
    with pytest.raises(ProvisionError) as caught:
        read_spec("# " + "x" * (1 << 20))
    assert [one.rule for one in caught.value.diagnostics] == ["too-large"]
    assert "1048578 bytes, at most 1048576" in str(caught.value)
