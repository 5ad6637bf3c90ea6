"""The page of all rules and the code tell the same rules, with the same severities."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[4]
_PAGE = _ROOT / "docs/reference/findings.md"
_CODE = _ROOT / "provision/host/inspect/findings"
_SEVERITIES = ("error", "warning", "note")


def rules_of_code() -> dict[str, set[str]]:
    """Severities by rule: calls of error(), warning(), note(), and of tell(), which is one of two.

    Besides them the finding on our own record, which its reader makes.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(_CODE.glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                _collect(function, found)
    placed = (_ROOT / "provision/host/inspect/running/placed.py").read_text()
    for rule, severity in re.findall(r'Finding\(\s*"([a-z-]+)",\s*"([a-z]+)"', placed):
        found[rule].add(severity)
    return dict(found)


def _collect(function: ast.FunctionDef, found: defaultdict[str, set[str]]) -> None:
    either: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp):
            ends = (node.value.body, node.value.orelse)
            names = {end.id for end in ends if isinstance(end, ast.Name)}
            if names <= set(_SEVERITIES):
                either |= names
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        rule = node.args[0]
        if not isinstance(rule, ast.Constant) or not isinstance(rule.value, str):
            continue
        if node.func.id in _SEVERITIES:
            found[rule.value].add(node.func.id)
        elif node.func.id == "tell":
            assert either, f"{rule.value}: tell is not chosen from two severities"
            found[rule.value] |= either


def rules_of_page() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    pattern = r"^### ([a-z0-9-]+)\n\n\*([a-z, ]+)\*\n\n(.+?)\n\n(.+?)\n\nRemedy: (.+?)$"
    for rule, severities, *_ in re.findall(pattern, _PAGE.read_text(), re.M | re.S):
        assert rule not in found
        found[rule] = set(severities.split(", "))
    return found


def test_the_page_lists_every_rule_and_no_other() -> None:
    assert rules_of_page() == rules_of_code()
    assert len(rules_of_page()) > 50


def test_the_page_is_in_order() -> None:
    for part in _PAGE.read_text().split("\n## ")[1:]:
        rules = re.findall(r"^### ([a-z0-9-]+)$", part, re.M)
        assert rules == sorted(rules)


def test_every_rule_is_shown_by_a_test() -> None:
    tests = "".join(
        path.read_text()
        for path in (
            *Path(__file__).parent.glob("test_*.py"),
            *Path(__file__).parents[1].rglob("test_placed.py"),
        )
    )
    assert [rule for rule in rules_of_code() if f'"{rule}"' not in tests] == []
