"""One host's part of the flow on the controller: its spec and facts become a plan and a bundle."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from provision.host.archive import agent_artifacts, build_agent
from provision.host.bundle import Bundle
from provision.host.document import from_plain
from provision.host.errors import fail
from provision.host.facts import Facts
from provision.plan.plan import Plan
from provision.plan.planner import make_plan
from provision.render.bundle import render
from provision.spec.read import read_spec

from .specs import SpecText


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the controller hands on for one host."""

    plan: Plan
    bundle: Bundle  # complete: the agent that its units call is inside


def prepare(spec: SpecText, facts: Facts, agent: bytes | None = None) -> Prepared:
    """Plan and render one host. ProvisionError holds all that stands in the way.

    agent: the zipapp, when it is prepared for many hosts; built here otherwise.
    """
    read = read_spec(spec.text, spec.name)
    plan = make_plan(read.spec, facts, read.places)
    rendered = render(plan)
    whole = (*rendered.artifacts, *agent_artifacts(agent if agent is not None else build_agent()))
    artifacts = tuple(sorted(whole, key=lambda one: one.path))
    return Prepared(plan, dataclasses.replace(rendered, artifacts=artifacts))


def facts_of(plain: Any, host: str) -> Facts:
    """A host's facts from their JSON form. ProvisionError when there are none."""
    if not plain:
        raise fail(
            "no-facts",
            f"{host}: there are no facts to plan with",
            "inspect the host first: provision fleet inspect",
        )
    return from_plain(Facts, plain, f"facts of {host}")
