"""The proof before the commit: what this run touched is where it was meant to be and answers."""

from __future__ import annotations

import time
from collections.abc import Mapping

from .. import systemd
from ..errors import fail
from ..files import Files
from ..names import NGINX_UNIT
from ..proof.verify import instance_checks, nginx_checks
from ..report import Check
from ..systemd import UnitError, UnitStatus
from .changes import View
from .steps import Steps


def prove_changes(view: View, files: Files, steps: Steps, steady_seconds: float) -> None:
    """Check every claim about the instances that were started, and nginx; all of them stay up.

    UnitError `not-as-planned` names the claim that does not hold, `not-steady` who went down.
    """
    touched = {one.unit for one in view.changes.units if one.action in ("start", "restart")}
    instances = [one for one in view.bundle.instances if one.unit in touched]
    began = time.monotonic()
    first = systemd.statuses([one.unit for one in instances])
    number = 0
    for instance in instances:
        checks = instance_checks(instance, first[instance.unit], files)
        _demand(instance.unit, checks)
        number += len(checks)
    if view.bundle.nginx and (
        instances or any(one.unit == NGINX_UNIT for one in view.changes.units)
    ):
        checks = nginx_checks(view.bundle, systemd.status(NGINX_UNIT), files)
        _demand(NGINX_UNIT, checks)
        number += len(checks)
    if instances:
        _stay_up(first, began + steady_seconds)
    if number:
        seconds = round(time.monotonic() - began, 2)
        steps.add("verify", f"{number} claims hold", seconds=seconds)


def _stay_up(first: Mapping[str, UnitStatus], until: float) -> None:
    """An engine may give its first token and die a moment later; systemd would begin it anew."""
    while True:
        for unit, now in systemd.statuses(list(first)).items():
            if now.active != "active" or now.invocation != first[unit].invocation:
                what = "began anew" if now.active == "active" else f"is {now.sub or now.active}"
                message = f"{unit} gave a token and then went down: it {what}"
                raise UnitError(unit, fail("not-steady", message))
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 1.0))


def _demand(unit: str, checks: list[Check]) -> None:
    for one in checks:
        if one.ok is False:
            detail = f" ({one.detail})" if one.detail else ""
            message = (
                f"{one.subject}: {one.aspect} is not as planned: {one.actual or 'nothing'}"
                f" instead of {one.expected}{detail}"
            )
            raise UnitError(unit, fail("not-as-planned", message))
