"""A finding of each severity. Every rule's name stands in a call of one of these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ...facts import Finding

ORDER = ("error", "warning", "note")


def error(
    rule: str,
    evidence: str,
    consequence: str,
    remedy: str | None = None,
    subjects: Iterable[str] = (),
) -> Finding:
    """Something that does not work now."""
    return _finding(rule, "error", evidence, consequence, remedy, subjects)


def warning(
    rule: str,
    evidence: str,
    consequence: str,
    remedy: str | None = None,
    subjects: Iterable[str] = (),
) -> Finding:
    """Something that works badly, or will break."""
    return _finding(rule, "warning", evidence, consequence, remedy, subjects)


def note(
    rule: str,
    evidence: str,
    consequence: str,
    remedy: str | None = None,
    subjects: Iterable[str] = (),
) -> Finding:
    """Something worth knowing."""
    return _finding(rule, "note", evidence, consequence, remedy, subjects)


def _finding(
    rule: str,
    severity: Literal["error", "warning", "note"],
    evidence: str,
    consequence: str,
    remedy: str | None,
    subjects: Iterable[str],
) -> Finding:
    return Finding(rule, severity, evidence, consequence, remedy, tuple(subjects))
