"""What a sysadmin should know about the machine before anything is planned; quiet on a good one.

Rules are pure over the facts. One matter is one finding, with everything that it is about; what is
not known is never held against a machine. docs/reference/findings.md lists all rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding, InspectRequest, Stable, Volatile
from .cards import card_findings
from .case import Case
from .driver import driver_findings
from .health import health_findings
from .links import link_findings
from .lost import lost_findings
from .memory import memory_findings
from .numa import numa_findings
from .nvlink import nvlink_findings
from .observed import Observed
from .occupied import occupied_findings
from .ports import port_findings
from .power import power_findings
from .security import security_findings
from .services import service_findings
from .severity import ORDER
from .storage import storage_findings
from .system import system_findings
from .topology import topology_findings
from .xids import xid_findings

__all__ = ["Observed", "findings"]


def findings(
    request: InspectRequest, stable: Stable, volatile: Volatile, observed: Observed
) -> tuple[Finding, ...]:
    """All findings, the gravest first, then by rule and by what they are about."""
    case = Case.of(request, stable, volatile, observed)
    return tuple(
        sorted(
            _all(case),
            key=lambda one: (ORDER.index(one.severity), one.rule, one.subjects, one.evidence),
        )
    )


def _all(case: Case) -> Iterator[Finding]:
    if case.observed.record_problem is not None:
        yield case.observed.record_problem
    yield from driver_findings(case)
    yield from lost_findings(case)
    yield from health_findings(case)
    yield from xid_findings(case)
    yield from link_findings(case)
    yield from nvlink_findings(case)
    yield from topology_findings(case)
    yield from card_findings(case)
    yield from power_findings(case)
    yield from memory_findings(case)
    yield from numa_findings(case)
    yield from system_findings(case)
    yield from security_findings(case)
    yield from storage_findings(case)
    yield from port_findings(case)
    yield from service_findings(case)
    yield from occupied_findings(case)
