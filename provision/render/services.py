"""Units of provision's own that run beside the instances: watch, recover, drift."""

from __future__ import annotations

from provision.host.bundle import Artifact
from provision.plan.plan import Drift, Plan

from . import paths
from .environment import digest_of
from .systemd import link
from .templates import fill

_MULTI_USER = f"{paths.UNITS}/multi-user.target.wants"
_TARGET = f"{paths.UNITS}/{paths.TARGET}.wants"


def services(plan: Plan) -> tuple[Artifact, ...]:
    """The units and the links that enable them. Recover is on every host."""
    found = [
        _unit(paths.RECOVER_UNIT, python=plan.python, agent=paths.AGENT),
        link(f"{_MULTI_USER}/{paths.RECOVER_UNIT}", paths.RECOVER_UNIT),
    ]
    if plan.watch:
        found += [watch_unit(plan), link(f"{_TARGET}/{paths.WATCH_UNIT}", paths.WATCH_UNIT)]
    if plan.drift:
        found += [
            drift_unit(plan, plan.drift),
            _unit(paths.DRIFT_TIMER, minutes=plan.drift.every_minutes),
            link(f"{_TARGET}/{paths.DRIFT_TIMER}", paths.DRIFT_TIMER),
        ]
    return tuple(found)


def watch_unit(plan: Plan) -> Artifact:
    """The watch, with the digest of all else in its file: apply compares it with what runs.

    Neither settings nor the agent's version are in it: the watch takes both up by itself.
    """
    bare = _unit(paths.WATCH_UNIT, python=plan.python, agent=paths.AGENT, digest="")
    digest = digest_of([bare])
    return _unit(paths.WATCH_UNIT, python=plan.python, agent=paths.AGENT, digest=digest)


def drift_unit(plan: Plan, drift: Drift) -> Artifact:
    """One look for drift; the folder of the metrics file is the only one that it may write to."""
    folder = drift.textfile.rpartition("/")[0] or "/" if drift.textfile else None
    return _unit(
        paths.DRIFT_UNIT,
        python=plan.python,
        agent=paths.AGENT,
        textfile=drift.textfile,
        folder=folder,
    )


def _unit(name: str, **values: object) -> Artifact:
    return Artifact(f"{paths.UNITS}/{name}", fill(f"systemd/{name}", **values))
