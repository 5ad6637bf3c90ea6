"""The whole reasoning for one group: what it needs, every way that was weighed, where it went."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from provision.plan.plan import Candidate, Figures, PartLine

from .explained import Explained
from .figures_text import band_text, cores_text, fullest, gib_text, gpus_text, told, vram_text
from .instances_screen import split_text
from .plan_screen import by_subject
from .screen import Table, heading, paragraph, put


def show_explained(one: Explained) -> None:
    """From the model to the cores, in the order in which it was decided."""
    said = one.explanation
    names = " ".join(launch.name for launch in one.launches)
    engine = next((f"{launch.engine}, " for launch in one.launches), "")
    put(f"{said.group} ({names}): {engine}placed for {said.optimize}", bold=True)
    for sentence in said.models:
        paragraph("", _sentence(sentence), 2)
    _show_parts("Memory of the fullest GPU", said.parts, _room(one))
    _show_parts("Memory of the host", said.ram, None)
    _show_candidates(said.candidates)
    if said.placing:
        heading("Where")
        for sentence in said.placing:
            paragraph("", _sentence(sentence), 2)
    _show_instances(one)


def _room(one: Explained) -> int | None:
    """MiB that the fullest GPU has for the instance."""
    for launch in one.launches:
        figures = one.figures.get(launch.name)
        if figures is not None:
            at = fullest(figures.need_mib, figures.room_mib)
            return None if at is None else figures.room_mib[at]
    return None


def _show_parts(title: str, parts: Sequence[PartLine], room_mib: int | None) -> None:
    """Every summand with its error bound, and the sum."""
    if not parts:
        return
    heading(title)
    table = Table(("part", "GiB", "+-", "reckoned as"), right=(1, 2), wrap=True)
    for part in parts:
        table.row(part.name, gib_text(part.mib, 2), _bound(part.error_mib), part.note)
    whole = sum(part.mib for part in parts)
    of = f"of {gib_text(room_mib, 2)} GiB that it may take" if room_mib else ""
    # they are off independently of each other
    bound = _bound(math.hypot(*(part.error_mib for part in parts)))
    if room_mib or len(parts) > 1:
        table.row("together", gib_text(whole, 2), bound, of)
    table.show()


def _bound(mib: float) -> str:
    return gib_text(mib, 2) if mib else ""


def _show_candidates(candidates: Sequence[Candidate]) -> None:
    """A table of all ways; then a paragraph each, why it was taken, lost or cannot be."""
    if not candidates:
        return
    heading("Ways that were weighed (tokens a second are estimates)")
    head = ("way", "GPUs", "joined", "GiB a GPU", "one stream", "full batch", "verdict")
    table = Table(head, right=(3, 4))
    for one in candidates:
        table.row(*_cells(one))
    whole = table.fits()
    (table if whole else table.without(head.index("joined"))).show()
    put()
    sentences: dict[str, list[str]] = {}
    for subject, one in zip(_subjects(candidates), candidates, strict=True):
        joint = f"{_joint(one)}; " if _joint(one) and not whole else ""
        if one.why or joint:
            sentences.setdefault(f"{joint}{one.why}".removesuffix("; "), []).append(subject)
    indent = min(26, max(len(subjects[0]) for subjects in sentences.values()) + 4)
    for text, (first, *others) in sentences.items():
        also = f" (also {', '.join(others)})" if others else ""
        paragraph(first, _sentence(f"{text}{also}"), indent)


def _cells(one: Candidate) -> tuple[str, ...]:
    speed = told(one.speed)
    full = f"{band_text(speed.full)} of {speed.batch}" if speed and speed.batch > 1 else ""
    return (
        one.way,
        gpus_text(one.gpus),
        _joint(one).removeprefix("joined by "),
        vram_text(one.need_mib, one.room_mib, unit=""),
        band_text(speed.single) if speed else "",
        full,
        one.verdict,
    )


def _joint(one: Candidate) -> str:
    """What joins its GPUs; nothing joins one alone."""
    return one.joint if len(one.gpus) > 1 else ""


def _subjects(candidates: Sequence[Candidate]) -> Iterator[str]:
    """The way; with its GPUs where two candidates go the same way."""
    ways = [one.way for one in candidates]
    for one in candidates:
        twice = ways.count(one.way) > 1 and one.gpus
        yield f"{one.way} on {gpus_text(one.gpus)}" if twice else one.way


def _show_instances(one: Explained) -> None:
    """Where each instance ended, and every reason that has it or its group for a subject."""
    heading("Instances")
    head = ("instance", "GPUs", "split", "VRAM a GPU", "context", "KV cache", "node", "cores")
    table = Table((*head, "port"), spare=(2, 5))
    for launch in one.launches:
        figures = one.figures.get(launch.name, Figures())
        context = figures.context or launch.context
        table.row(
            launch.name,
            gpus_text([gpu.index for gpu in launch.gpus]),
            split_text(launch),
            vram_text(figures.need_mib, figures.room_mib),
            f"{context:,}" if context else "",
            f"{figures.kv_tokens:,} tokens" if figures.kv_tokens else "",
            " ".join(map(str, launch.pin.nodes)),
            cores_text(launch.pin.cpus),
            str(launch.port),
        )
    table.show()
    lines = [(reason.subject, reason.text) for reason in one.reasons]
    lines += [(name, f"moves: {text}") for name, text in sorted(one.moved.items())]
    lines += [(name, f"stays: {text}") for name, text in sorted(one.kept.items())]
    if lines:
        put()
    indent = min(22, max((len(subject) for subject, _ in lines), default=0) + 4)
    last = ""
    for subject, text in by_subject(lines):
        paragraph(subject if subject != last else "", _sentence(text), indent)
        last = subject


def _sentence(text: str) -> str:
    """With a full stop."""
    return text if text.endswith((".", "?", "!")) else f"{text}."
