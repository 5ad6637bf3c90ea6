"""From the options of a command to a decision: spec, facts and plan together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision import pipeline
from provision.host.errors import fail

from . import inputs

if TYPE_CHECKING:
    from provision.host.facts import Facts
    from provision.host.files import Files
    from provision.plan.plan import Plan
    from provision.spec.read import ReadSpec


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan and the facts that it was made from."""

    facts: Facts
    plan: Plan


def decide(host_yaml: Path, facts_file: Path | None, files: Files | None = None) -> Decision:
    """Read, inspect (or read recorded facts), plan.

    files: where the plan is going to be applied. On the live host recorded facts are compared
    with the machine first, since a plan for another one must not be applied here.
    """
    inputs.not_both_stdin(host_yaml, facts_file)
    read = inputs.read_host_yaml(host_yaml)
    if facts_file is None:
        facts = pipeline.inspect(read.spec)
    else:
        facts = inputs.read_facts(facts_file)
        if files is not None and files.live:
            _is_this_machine(read, facts, str(facts_file))
    return Decision(facts, pipeline.plan(read, facts))


def _is_this_machine(read: ReadSpec, recorded: Facts, name: str) -> None:
    """Hardware and name of the facts must be those of the machine that is about to be changed.

    Software and volatile facts may have moved on; apply itself checks what it depends on.
    """
    now = pipeline.inspect(read.spec).stable
    then = recorded.stable
    for what, old, new in (
        ("host name", then.system.hostname, now.system.hostname),
        ("NUMA nodes", _nodes(recorded), tuple((one.id, str(one.cpus)) for one in now.numa_nodes)),
        ("GPUs", _gpus(recorded), tuple((str(one.address), one.uuid) for one in now.gpus)),
    ):
        if old != new:
            raise fail(
                "stale-facts",
                f"{name} is not about this machine as it is now: {what} {old or 'none'},"
                f" here {new or 'none'}",
                "leave out --facts, or use --root DIR to see the files of another machine",
            )


def _nodes(facts: Facts) -> tuple[tuple[int, str], ...]:
    return tuple((one.id, str(one.cpus)) for one in facts.stable.numa_nodes)


def _gpus(facts: Facts) -> tuple[tuple[str, str], ...]:
    return tuple((str(one.address), one.uuid) for one in facts.stable.gpus)
