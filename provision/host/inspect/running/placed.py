"""Where our instances are placed today, from the record that apply keeps on the host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ...document import from_plain
from ...errors import ProvisionError
from ...facts import Finding, Placed
from ..tree import Tree

STATE = "/var/lib/provision/state.json"


@dataclass(frozen=True, slots=True)
class Record:
    """The placements by instance, and what is wrong with the record."""

    placed: tuple[Placed, ...] = ()
    problem: Finding | None = None


def read_placed(tree: Tree) -> Record:
    """The record's placements; none on a host where nothing was applied."""
    text = tree.text(STATE)
    if text is not None:
        return parse_state(text)
    if tree.is_file(STATE):
        return Record(problem=_unreadable("may not be read by this user", "run it as root"))
    return Record()


def parse_state(text: str) -> Record:
    """The placements in a state; a broken record is a finding, never an end of the inspection.

    Only the placements are read, so that a state written by another version still tells them.
    """
    try:
        items = placements(json.loads(text))
    except (ValueError, RecursionError) as error:
        return Record(problem=_unreadable(f"is not JSON: {error}"))
    if items is None:
        return Record(problem=_unreadable("holds no list of placements"))
    try:
        placed = [from_plain(Placed, item, STATE) for item in items]
    except ProvisionError as error:
        return Record(problem=_unreadable(f"is not understood: {error.diagnostics[0].message}"))
    return Record(tuple(sorted(placed, key=lambda one: one.instance)))


def placements(state: Any) -> list[Any] | None:
    """The list under `placements`, or else what each instance of the last bundle says of itself."""
    if not isinstance(state, dict):
        return None
    if "placements" in state:
        listed = state["placements"]
        return listed if isinstance(listed, list) else None
    bundle = state.get("bundle", {})
    instances = bundle.get("instances", []) if isinstance(bundle, dict) else None
    if not isinstance(instances, list):
        return None
    return [one.get("placed") if isinstance(one, dict) else one for one in instances]


def _unreadable(why: str, hint: str | None = None) -> Finding:
    return Finding(
        "state-unreadable",
        "warning",
        evidence=f"{STATE} {why}",
        consequence="it is not known which ports and GPUs our instances hold today",
        remedy=hint,
    )
