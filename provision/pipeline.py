"""The flow, whole and in parts: functions over values, nothing printed, nothing asked.

    read -> inspect -> plan -> bundle -> changes -> apply -> verify

Each stage is imported where it is used: `verify` on a host loads no YAML, no pydantic, no Jinja2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.host.bundle import Bundle
    from provision.host.errors import Diagnostic
    from provision.host.facts import Facts, InspectRequest, ModelFound
    from provision.host.files import Files
    from provision.host.proof.drift import DriftReport
    from provision.host.report import ApplyResult, ChangeSet, FileChange, Report, Step
    from provision.host.transaction.confirm import Confirmation
    from provision.host.transaction.generations import Generation
    from provision.host.transaction.options import ApplyOptions
    from provision.plan.plan import Plan
    from provision.spec.model import HostSpec
    from provision.spec.read import ReadSpec


def read(text: str | bytes, name: str = "host.yaml") -> ReadSpec:
    """A host.yaml's text as a spec with its places. ProvisionError holds all that is wrong."""
    from provision.spec.read import read_spec

    return read_spec(text, name)


def request(spec: HostSpec) -> InspectRequest:
    """What an inspection must look at for this spec besides the machine itself."""
    from provision.spec.request import inspect_request

    return inspect_request(spec)


def inspect(
    spec: HostSpec | InspectRequest | None = None,
    root: Path = Path("/"),
    *,
    record: Path | None = None,
    redact: bool = False,
    replay: Path | None = None,
) -> Facts:
    """This machine, or a recorded tree, and what the spec (or the request of one) points at.

    record: an archive to be made of every answer, redact: without the names in it. replay: such an
    archive to be inspected instead of this machine, with its own request where no spec is given.
    """
    from provision import __version__
    from provision.host.facts import InspectRequest

    wanted = spec if spec is None or isinstance(spec, InspectRequest) else request(spec)
    if replay is not None:
        from provision.host.inspect.recording.record import replay as look_again

        return look_again(replay, wanted)
    wanted = wanted or InspectRequest()
    if record is not None:
        from provision.host.inspect.recording.record import record as look_and_keep

        return look_and_keep(wanted, record, __version__, redact=redact)
    from provision.host.inspect import inspect as look

    return look(wanted, root)


def plan(read: ReadSpec, facts: Facts, replan: bool = False) -> Plan:
    """What runs where, and why. ProvisionError holds all that stands in the way.

    replan: what already runs may be moved for a better place.
    """
    from provision.plan.planner import make_plan

    return make_plan(read.spec, facts, read.places, replan=replan)


def sourced(plan: Plan, path: str, text: bytes, read: ReadSpec, facts: Facts) -> Plan:
    """A plan with what it was made from, as it is saved. path, text: of host.yaml."""
    from provision.plan.saved import source_of

    return dataclasses.replace(plan, source=source_of(path, text, request(read.spec), facts))


def saved_plan(document: bytes, name: str) -> Plan | None:
    """The plan in a document; None for anything else, which may be a host.yaml.

    ProvisionError `bad-document`: it is a plan, but damaged or of another version.
    """
    from provision.plan.saved import is_plan, read_plan

    return read_plan(document, name) if is_plan(document) else None


def render(plan: Plan) -> Bundle:
    """The files of a plan, without the agent: what golden trees and `provision render` show."""
    from provision.render.bundle import render as write

    return write(plan)


def bundle(plan: Plan) -> Bundle:
    """All that the host needs: the rendered files and the agent that its units call."""
    from provision.host.archive import agent_artifacts, build_agent

    rendered = render(plan)
    whole = (*rendered.artifacts, *agent_artifacts(build_agent()))
    return dataclasses.replace(rendered, artifacts=tuple(sorted(whole, key=lambda one: one.path)))


def changes(bundle: Bundle, files: Files, options: ApplyOptions | None = None) -> ChangeSet:
    """What an apply would do here. Reads only."""
    from provision.host.transaction.changes import changes as compare

    return compare(bundle, files, options)


def check(
    bundle: Bundle, files: Files, options: ApplyOptions | None = None, *, staged: bool = True
) -> ApplyResult:
    """What an apply would do, and what would stop it: missing programs, ports held by others.

    staged: systemd and nginx are asked what they think of the new files, too.
    """
    from provision.host.transaction.apply import check as foresee

    return foresee(bundle, files, options, staged=staged)


def apply(
    bundle: Bundle,
    files: Files,
    progress: Callable[[Step], None],
    options: ApplyOptions | None = None,
) -> ApplyResult:
    """Bring the host to the wanted state in one transaction."""
    from provision.host.transaction.apply import apply as bring

    return bring(bundle, files, progress, options)


def check_rollback(
    files: Files,
    number: int | None = None,
    options: ApplyOptions | None = None,
    *,
    staged: bool = True,
) -> ApplyResult:
    """What a rollback would do, and what would stop it. staged: as in check()."""
    from provision.host.transaction.rollback import check_rollback as foresee

    return foresee(files, number, options, staged=staged)


def rollback(
    files: Files,
    progress: Callable[[Step], None],
    number: int | None = None,
    options: ApplyOptions | None = None,
) -> ApplyResult:
    """Apply a generation that was kept again; None: the one before what stands now."""
    from provision.host.transaction.rollback import rollback as go_back

    return go_back(files, progress, number, options)


def other_engine_versions(bundle: Bundle) -> tuple[Diagnostic, ...]:
    """Warnings of engines that are not as when a generation was applied: it does not hold them."""
    from provision.host.proof.engine_versions import other_versions

    return other_versions(bundle)


def recover(files: Files, progress: Callable[[Step], None]) -> ApplyResult:
    """Back to the last commit after a run that was cut short."""
    from provision.host.transaction.recover import recover as put_back

    return put_back(files, progress)


def confirm(files: Files) -> Confirmation:
    """Keep what was applied with a time to confirm it."""
    from provision.host.transaction.confirm import confirm as keep

    return keep(files)


def history(files: Files) -> tuple[Generation, ...]:
    """The generations that are kept, oldest first."""
    from provision.host.transaction.generations import history as kept

    return kept(files)


def generation(files: Files, number: int) -> Generation:
    """One of them, with the contents of its files."""
    from provision.host.transaction.generations import load_generation

    return load_generation(files, number)


def between(old: Bundle, new: Bundle) -> tuple[FileChange, ...]:
    """What differs from the files of one bundle to those of another, by path."""
    from provision.host.transaction.differences import between as compare

    return compare(old, new)


def drift(files: Files) -> DriftReport:
    """What differs from what was last applied: on disk and in what runs."""
    from provision.host.proof.drift import drift as compare

    return compare(files)


def verify(files: Files) -> Report:
    """What really runs against what was last applied."""
    from provision.host.proof.verify import verify as prove

    return prove(files)


def remove(
    files: Files, progress: Callable[[Step], None], check: bool = False, models: bool = False
) -> ApplyResult:
    """Put the host back as it was before the first apply."""
    from provision.host.transaction.remove import remove as undo

    return undo(files, progress, check, models)


def model_found(path: str) -> ModelFound | None:
    """What the headers of a model's file or folder on this machine say; None for anything else."""
    from provision.host.inspect.models.model import read_model
    from provision.host.inspect.source import LiveSource

    return read_model(LiveSource(), path)
