"""Findings for people: how grave, which rule, what was seen, what it means, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from provision.host.facts import Finding

from .screen import heading, paragraph, put


def show_findings(findings: Sequence[Finding]) -> None:
    """The findings in their own order, the gravest first; one line when there are none."""
    if not findings:
        put()
        put("No findings.")
        return
    heading("Findings")
    severity = max(len(one.severity) for one in findings)
    indent = severity + min(24, max(len(one.rule) for one in findings)) + 7
    for one in findings:
        subject = f"{one.severity:<{severity}}  {one.rule}"
        paragraph(subject, f"{one.evidence}: {one.consequence}.", indent)
        if one.remedy:
            paragraph("", f"→ {one.remedy}", indent)
