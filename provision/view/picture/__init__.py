"""The machine as a picture: Facts, and a Plan where there is one, become the text of an SVG file.

Pure, and the same bytes for the same facts: no clock, no files, no programs.
"""

from __future__ import annotations

from provision.host.facts import Facts
from provision.plan.plan import Plan

from .layout import machine_scene
from .svg import write_svg

__all__ = ["draw"]


def draw(facts: Facts, plan: Plan | None = None) -> str:
    """The SVG document of a machine.

    plan: where each instance is going to sit. Without one, the instances that are placed today
    (by the host's own record) are shown instead.
    """
    return write_svg(machine_scene(facts, plan))
