"""From a few answers to a host.yaml that plans cleanly: draft, plan, mend what can be mended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provision.host.errors import Diagnostic, ProvisionError

from .engine_meant import meant

if TYPE_CHECKING:
    from provision.host.facts import Facts
    from provision.plan.plan import Plan
    from provision.spec.draft import Draft
    from provision.spec.read import ReadSpec

_FIRST_PORT, _PORTS = 8080, 20
_NAME = "host.yaml"
# Errors that instances on the same GPUs may not have.
_TOO_FEW_GPUS = frozenset({"gpus-short", "gpus-together", "no-fit"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the owner said. listen None: 8080, or the next port that nobody holds."""

    models: tuple[str, ...]
    purpose: str
    context: int | None = None
    listen: int | None = None


@dataclass(frozen=True, slots=True)
class Drafted:
    """The file's text and its plan. remarks: the plan's warnings, and what apply will still ask
    for (a model to be pulled), all as notes."""

    text: str
    plan: Plan
    remarks: tuple[Diagnostic, ...]


def drafted(wanted: Wanted, recorded: Facts | None) -> Drafted:
    """recorded None: this machine, which is looked at with the draft in hand.

    ProvisionError says what stands in the way; the complaints have no places, since there is no
    file yet.
    """
    from provision import pipeline
    from provision.spec.draft import draft_text

    draft = _draft(wanted)
    whole = recorded
    if whole is None:
        whole = pipeline.inspect(_unplaced(draft_text(draft)).spec)
    facts = _without_missing(whole)
    draft = _for_host(draft, facts, wanted)
    draft, plan = _mended(draft, facts, wanted.listen is None)
    notes = (replace(one, notes=_notes(one.name, plan)) for one in draft.instances)
    text = draft_text(replace(draft, instances=tuple(notes)))
    plan = _plan(text, facts)
    missing = remarks_of(text, whole) if recorded is None else ()
    warned = (one for one in plan.warnings if one.rule != "not-looked-at" or recorded is not None)
    return Drafted(text, plan, (*map(_as_note, warned), *missing))


def _draft(wanted: Wanted) -> Draft:
    """What the answers alone give."""
    from provision.spec.draft import Draft, DraftInstance, name_for

    instances: list[DraftInstance] = []
    for word in wanted.models:
        model, engine = meant(word)
        name = name_for(model, [one.name for one in instances])
        instances.append(DraftInstance(name, engine, model, context=wanted.context))
    return Draft("", "", tuple(instances), wanted.purpose, wanted.listen or _FIRST_PORT)


def _without_missing(facts: Facts) -> Facts:
    """The facts as if nobody had looked for models that are not there yet: they are pulled later.

    A path in host.yaml itself is another matter: that file must be there.
    """
    from provision.host.ollama_tags import DEFAULT_MODELS_DIR
    from provision.spec.request import DEFAULT_HF_HOME

    later = (f"{DEFAULT_MODELS_DIR}/", f"{DEFAULT_HF_HOME}/")
    kept = (
        one for one in facts.stable.paths if one.kind is not None or not one.path.startswith(later)
    )
    return replace(facts, stable=replace(facts.stable, paths=tuple(kept)))


def _for_host(draft: Draft, facts: Facts, wanted: Wanted) -> Draft:
    """With what the machine decides: CPU or GPU, copies, nginx, vendors' units."""
    from provision.plan.machine.gpus import table_of
    from provision.plan.machine.vendors import taken_over

    from .host_line import host_line

    table = table_of(facts)
    no_gpu = not table.gpus and table.missing is None
    many = wanted.purpose == "throughput" and len(draft.instances) == 1 and not no_gpu
    copies = "auto" if many else 1
    host, _, machine = host_line(facts).partition(": ")
    return replace(
        draft,
        host=host,
        machine=machine,
        instances=tuple(
            replace(one, on_cpu=no_gpu and one.engine != "vllm", replicas=copies)
            for one in draft.instances
        ),
        listen=draft.listen if facts.stable.nginx else None,
        persistence=any(gpu.vendor == "nvidia" and not gpu.integrated for gpu in table.gpus),
        takeover=taken_over(facts, True),
    )


def _mended(draft: Draft, facts: Facts, any_port: bool) -> tuple[Draft, Plan]:
    """The draft that plans: another port where that one is held, GPUs shared where too few."""
    from provision.spec.draft import draft_text

    for _ in range(_PORTS):
        try:
            return draft, _plan(draft_text(draft), facts)
        except ProvisionError as error:
            rules = {one.rule for one in error.diagnostics if one.severity == "error"}
            other = _other(draft, rules, any_port)
            if other is None:
                raise _with_engines(error, draft, facts) from None
            if other.listen == draft.listen and _fails(other, facts):
                raise
            draft = other
    return draft, _plan(draft_text(draft), facts)


def _other(draft: Draft, rules: set[str], any_port: bool) -> Draft | None:
    """The next draft to try after these errors; None where nothing is left to try."""
    if "port-taken" in rules and any_port and draft.listen is not None:
        return replace(draft, listen=draft.listen + 1)
    several = len(draft.instances) > 1
    if rules and rules <= _TOO_FEW_GPUS and several and not draft.instances[0].shares:
        shared = (replace(one, shares=not one.on_cpu) for one in draft.instances)
        return replace(draft, instances=tuple(shared))
    return None


def _fails(draft: Draft, facts: Facts) -> bool:
    """Whether a draft does not plan either; then the first complaint says more."""
    from provision.spec.draft import draft_text

    try:
        _plan(draft_text(draft), facts)
    except ProvisionError as error:
        return any(one.rule != "port-taken" for one in error.diagnostics)
    return False


def _plan(text: str, facts: Facts) -> Plan:
    from provision import pipeline

    try:
        return pipeline.plan(_unplaced(text), facts)
    except ProvisionError as error:
        raise ProvisionError(*(replace(one, place=None) for one in error.diagnostics)) from None


def _unplaced(text: str) -> ReadSpec:
    """The draft as it is read. Complaints about it have no place: there is no file yet."""
    from provision import pipeline

    try:
        return pipeline.read(text, _NAME)
    except ProvisionError as error:
        raise ProvisionError(*(replace(one, place=None) for one in error.diagnostics)) from None


def remarks_of(text: str, facts: Facts) -> tuple[Diagnostic, ...]:
    """What a look at the models' own places finds on this machine: not pulled yet."""
    try:
        _plan(text, facts)
    except ProvisionError as error:
        return tuple(
            _as_note(replace(one, message=f"before apply: {one.message}"))
            for one in error.diagnostics
            if one.severity == "error"
        )
    return ()


def _as_note(one: Diagnostic) -> Diagnostic:
    return replace(one, place=None, severity="note")


def _with_engines(error: ProvisionError, draft: Draft, facts: Facts) -> ProvisionError:
    """An engine that is missing: which of those that are here would serve the same model."""
    from .other_engines import other_engines

    missing = {one.name: one for one in draft.instances}
    found: list[Diagnostic] = []
    for one in error.diagnostics:
        instance = missing.get(one.message.partition(":")[0])
        instead = (
            other_engines(instance.model, instance.engine, facts)
            if instance is not None and one.rule == "no-engine"
            else None
        )
        hint = "; or ".join(part for part in (instead, one.hint) if part)
        found.append(replace(one, hint=hint or None))
    return ProvisionError(*found)


def _notes(group: str, plan: Plan) -> tuple[str, ...]:
    """What the plan makes of it, in words that do not name cards, which may come and go."""
    from .figures_text import expected_text, vram_text
    from .instances_screen import split_text
    from .screen import count

    launches = [one for one in plan.instances if one.group == group]
    if not launches:
        return ()
    first = launches[0]
    figures = plan.figures.get(first.name)
    parts = [
        count(len(first.gpus), "GPU") if first.gpus else "on the CPU",
        split_text(first).replace("layers", "layers divided"),
    ]
    if figures is not None and first.gpus:
        memory = vram_text(figures.need_mib, figures.room_mib)
        parts.append(f"{memory}{' each' if len(first.gpus) > 1 else ''}" if memory else "")
    copies = f"{len(launches)} copies of " if len(launches) > 1 else ""
    lines = [f"When this was written: {copies}{', '.join(part for part in parts if part)}."]
    expected = expected_text(figures)
    if expected:
        lines.append(f"Estimate{' for each' if copies else ''}: {expected}.")
    return tuple(lines)
