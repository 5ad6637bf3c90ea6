"""A finding: what a good engineer would tell the owner of a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import Diagnostic


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or is about to be."""

    rule: str  # short and stable: link-width, gpu-lost
    severity: Literal["error", "warning", "note"]  # error: something does not work now
    evidence: str  # what was seen, with its values: GPU 3 (0000:c1:00.0) runs at x4 of x16
    consequence: str  # what it means: models load four times slower
    remedy: str | None = None  # what to do about it
    subjects: tuple[str, ...] = ()  # what it is about: UUIDs, PCI addresses, ports, units

    @property
    def message(self) -> str:
        """Evidence and consequence as one sentence."""
        return f"{self.evidence}: {self.consequence}"

    def diagnostic(self) -> Diagnostic:
        """The same as a complaint among others, without a place."""
        return Diagnostic(self.rule, self.message, hint=self.remedy, severity=self.severity)
