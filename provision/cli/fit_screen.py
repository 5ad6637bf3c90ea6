"""The answer of `provision fit` for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from provision.host.facts import Facts
from provision.plan.cost.speed import Band
from provision.plan.fits.catalogue import FitAll
from provision.plan.fits.one_host import Fit, FitWay
from provision.plan.fits.several_hosts import FitHosts, HostsWay

from .figures_text import band_text, gib_text, gpus_text
from .host_line import host_line
from .screen import Table, count, gib, heading, paragraph, put

_MOST = 12
_LONGEST, _SHORTEST = 40, 24  # letters of a name in the catalogue's table
_VRAM = "GiB a GPU"
_CPU = "on the CPU"
_TIGHT = "tight: it fits unless every error of the estimate is against it."
_ESTIMATES = "Speeds are estimates (docs/explanation/speed.md) in tokens a second"
_FULL = "full batch: all streams together, how many in brackets, 4 tokens of prompt to each one."


def show_fit(found: Fit, facts: Facts) -> None:
    """One model on one host: a line a way, the best first."""
    put(host_line(facts), bold=True)
    _show_model(found)
    put()
    _show_one(found)
    _notes(found.ways, _about(found))
    joints = dict.fromkeys(way.joint for way in found.ways if len(way.gpus) > 1)
    if joints:
        heading("Between the GPUs")
        for joint in joints:
            numbers = (way.gpus for way in found.ways if way.joint == joint and len(way.gpus) > 1)
            paragraph("", f"{', '.join(dict.fromkeys(map(_gpus, numbers)))}: {joint}", 2)


def _show_model(found: Fit) -> None:
    size = f"{found.weights_mib / 1024:.1f} GiB of weights"
    name = f"{found.model}, {found.quantisation}, {size}, {found.engine}"
    put(name)
    if found.note:
        paragraph("", f"{found.note}.", 2)


def _show_one(found: Fit) -> None:
    if found.problem is not None:
        start = "Not on GPUs alone" if found.ways else "It does not fit"
        paragraph("", f"{start}: {found.problem}.", 2)
        if found.remedies:
            paragraph("", f"Would fit: {', or '.join(found.remedies)}.", 2)
        if found.ways:
            put()
    _table(found).show()


def _table(found: Fit) -> Table:
    single = "reading" if found.embeds else "one stream"
    head = ("way", "GPUs", "copies", _memory_head(found), "context", single, "full batch")
    table = Table(head, spare=(2, 6))
    for way in found.ways[:_MOST]:
        full = (
            f"{_band(way.full)} ({way.batch})"
            if way.full and way.batch > 1 and not found.embeds
            else ""
        )
        table.row(
            _with_ram(way),
            _gpus(way.gpus),
            str(way.copies),
            _room(way),
            f"{way.context:,}",
            _band(way.single),
            full,
        )
    return table


def _about(found: Fit) -> str:
    return "of text that it reads." if found.embeds else _FULL


def _memory_head(found: Fit) -> str:
    return "RAM, GiB" if found.ways and not any(way.gpus for way in found.ways) else _VRAM


def _with_ram(way: FitWay) -> str:
    """`37 layers in RAM: 20 GiB`."""
    short = _in_short(way)
    return short if way.ram_mib is None or not way.gpus else f"{short}: {gib(way.ram_mib)}"


def _in_short(way: FitWay) -> str:
    """`37 layers in RAM` of `layers 12 + 31, 37 layers in RAM`."""
    return way.way.rpartition(", ")[2] if way.ram_mib is not None else way.way


def _gpus(numbers: Sequence[int]) -> str:
    return gpus_text(numbers)


def _room(way: FitWay | HostsWay) -> str:
    room = "?" if way.room_mib is None else gib_text(way.room_mib)
    return f"{gib_text(way.need_mib)} of {room}{' tight' if way.tight else ''}"


def _band(speed: tuple[float, float] | None) -> str:
    return band_text(Band(*speed)) if speed is not None else ""


def _reading(speed: tuple[float, float] | None) -> str:
    """`51-120 k read`: in thousands or millions, in a column that is about tokens generated."""
    if speed is None:
        return ""
    unit, word = (1e6, "M") if speed[1] >= 1e6 else (1e3, "k")
    return f"{_band((speed[0] / unit, speed[1] / unit))} {word} read"


def _name(model: str, longest: int) -> str:
    return model if len(model) <= longest else f"{model[: longest - 3]}..."


def _notes(ways: Iterable[FitWay | HostsWay], about: str = _FULL) -> None:
    """What the table's words mean, for those that it has."""
    shown = list(ways)
    if not shown:
        return
    put()
    if any(way.single for way in shown):
        paragraph("", f"{_ESTIMATES}; {about}" if about else f"{_ESTIMATES}.", 2)
    elif any(way.way != _CPU for way in shown):
        paragraph("", "No speeds: what these cards can do is not known.", 2)
    else:
        paragraph("", "No speed: how fast this host reads its RAM is not known.", 2)
    if any(way.tight for way in shown):
        paragraph("", _TIGHT, 2)


def show_hosts(found: FitHosts, hosts: Sequence[Facts]) -> None:
    """One model on several hosts: alone on each, then together."""
    _show_model(found.fits[0])
    for one, facts in zip(found.fits, hosts, strict=True):
        heading(host_line(facts))
        _show_one(one)
    heading(f"Over several hosts, {found.network_gbit:g} Gbit/s between them (estimate)")
    if found.problem is not None:
        paragraph("", f"Not possible: {found.problem}.", 2)
    table = Table(
        ("way", "hosts", "GPUs of each", _VRAM, "context", "one stream", "full batch"),
        spare=(2, 4),
    )
    for way in found.ways[:_MOST]:
        table.row(
            way.way,
            " ".join(way.hosts),
            str(len(way.gpus[0])),
            _room(way),
            f"{way.context:,}",
            _band(way.single),
            _full(way),
        )
    table.show()
    _notes([*(way for one in found.fits for way in one.ways), *found.ways], _about(found.fits[0]))


def _full(way: FitWay | HostsWay) -> str:
    """`250-410 (24)`; nothing for one stream, which has a column of its own."""
    return f"{_band(way.full)} ({way.batch})" if way.full and way.batch > 1 else ""


def show_forms(found: FitAll, facts: Facts) -> None:
    """One model in several quantisations, the best way of each."""
    put(host_line(facts), bold=True)
    put(f"{found.fits[0].model} with {found.fits[0].engine}, the best way of each quantisation")
    put()
    head = ("as", "weights GiB", "way", "GPUs", _VRAM, "context", "one stream", "full batch")
    table = Table(head, spare=(3, 7), right=(1,))
    for one in found.fits:
        way = next(iter(one.ways), None)
        cells = (
            (_in_short(way), _gpus(way.gpus), _room(way), f"{way.context:,}", _band(way.single))
            if way is not None
            else ("does not fit", "", "", "", "")
        )
        full = _full(way) if way is not None and not one.embeds else ""
        table.row(one.quantisation, f"{one.weights_mib / 1024:.1f}", *cells, full)
    table.show()
    _notes([way for one in found.fits for way in one.ways], _about(found.fits[0]))


def show_every(found: FitAll, facts: Facts) -> None:
    """The catalogue: the best way of each model, those that do not fit at the end."""
    put(host_line(facts), bold=True)
    put()
    _every_table(found).show()
    fitting = sum(1 for one in found.fits if one.problem is None)
    put()
    put(f"  {count(len(found.fits), 'model')}, {fitting} of them on GPUs.")
    _notes([way for one in found.fits for way in one.ways], "")
    paragraph("", "One of them in full: provision fit MODEL", 2)


def _every_table(found: FitAll) -> Table:
    """Names are cut only where the table is too wide without engine and context."""
    longest = _LONGEST
    table = _every_row(found, longest)
    while not table.without(5).without(2).fits() and longest > _SHORTEST:
        longest -= 2
        table = _every_row(found, longest)
    return table


def _every_row(found: FitAll, longest: int) -> Table:
    engines = {one.engine for one in found.fits}
    head = ("model", "as", "engine", "way", _VRAM, "context", "one stream")
    table = Table(head, spare=(2, 5))
    for one in found.fits:
        way = next(iter(one.ways), None)
        cells = ("does not fit", "", "", "")
        if way is not None:
            speed = _reading(way.single) if one.embeds else _band(way.single)
            cells = (_in_short(way), _room(way), f"{way.context:,}", speed)
        engine = one.engine if len(engines) > 1 else ""
        table.row(_name(one.model, longest), one.quantisation, engine, *cells)
    return table
