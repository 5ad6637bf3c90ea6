"""What a plan knows of one group of instances, gathered: for the screen and as a document."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from provision.engines.launch import Launch
from provision.host.document import to_plain
from provision.host.errors import fail
from provision.plan.plan import Explanation, Figures, Plan, Reason

VERSION = 1  # of the document


@dataclass(frozen=True, slots=True)
class Explained:
    """The reasoning for a group with its instances, figures and reasons."""

    explanation: Explanation
    launches: tuple[Launch, ...]
    figures: dict[str, Figures]  # by instance
    reasons: tuple[Reason, ...]
    kept: dict[str, str]
    moved: dict[str, str]


def explained(plan: Plan, name: str) -> Explained:
    """The reasoning for a group, or for one of its instances alone, by name.

    ProvisionError `unknown-instance` names those that there are.
    """
    groups = {one.group: one for one in plan.explanations}
    known = {one.name: one.group for one in plan.instances if one.group in groups}
    group = name if name in groups else known.get(name)
    if group is None:
        raise _unknown(name, [*groups, *(one for one in known if one not in groups)])
    launches = tuple(
        one for one in plan.instances if one.group == group and name in (group, one.name)
    )
    names = {one.name for one in launches}
    return Explained(
        groups[group],
        launches,
        {key: one for key, one in plan.figures.items() if key in names},
        tuple(one for one in plan.reasons if one.subject == group or one.subject in names),
        {key: text for key, text in plan.kept.items() if key in names},
        {key: text for key, text in plan.moved.items() if key in names},
    )


def document(one: Explained) -> dict[str, Any]:
    """The Explanation as a versioned document, with the instances and reasons beside it."""
    return {
        "version": VERSION,
        **to_plain(one.explanation),
        "reasons": to_plain(one.reasons),
        "launches": to_plain(one.launches),
        "figures": to_plain(one.figures),
        "kept": to_plain(one.kept),
        "moved": to_plain(one.moved),
    }


def _unknown(name: str, known: list[str]) -> Exception:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else None
    there = f"there are {', '.join(known)}" if known else "this plan explains none"
    return fail("unknown-instance", f"no instance is called {name}; {there}", hint)
