"""A scene as the text of an SVG file: plain attributes only, which every viewer understands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .colours import ERROR, INK, NOTE, PAPER, WARNING
from .fonts import FAMILY, plain
from .scene import Box, Cells, Frame, Group, Item, Line, Scene, Sign, Text

_SIGN = {"error": (ERROR, PAPER, "!"), "warning": (WARNING, INK, "!"), "note": (NOTE, INK, "i")}


def write_svg(scene: Scene) -> str:
    """The document. Same scene, same bytes."""
    return "\n".join(_document(scene)) + "\n"


def _document(scene: Scene) -> Iterator[str]:
    width, height = _number(scene.width), _number(scene.height)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img" aria-labelledby="title description"'
        f' font-family="{escape(FAMILY)}" font-size="11">'
    )
    yield f'<title id="title">{escape(plain(scene.title))}</title>'
    yield f'<desc id="description">{escape(plain(scene.description))}</desc>'
    yield f'<rect width="{width}" height="{height}" fill="{PAPER}"/>'
    taken = {"title", "description"}
    for group in scene.groups:
        yield from _group(group, taken)
    yield "</svg>"


def _group(group: Group, taken: set[str]) -> Iterator[str]:
    name = f' id="{_id(group.id, taken)}"' if group.id else ""
    yield f"<g{name}>"
    if group.title:
        yield f"<title>{escape(plain(group.title))}</title>"
    for item in group.items:
        yield from _item(item)
    yield "</g>"


def _id(wanted: str, taken: set[str]) -> str:
    """A name that XML allows and that no other group has."""
    base = re.sub(r"[^A-Za-z0-9_-]+", "-", wanted).strip("-") or "part"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}.{number}"
    taken.add(name)
    return name


def _item(item: Item) -> Iterator[str]:
    if isinstance(item, Box):
        yield _box(item)
    elif isinstance(item, Line):
        yield _line(item)
    elif isinstance(item, Cells):
        yield _cells(item)
    elif isinstance(item, Text):
        yield _text(item)
    else:
        yield from _sign(item)


def _box(box: Box) -> str:
    dashed = ' stroke-dasharray="5 3"' if box.dashed else ""
    border = (
        f' stroke="{box.stroke}" stroke-width="{_number(box.thickness)}"{dashed}'
        if box.stroke != "none"
        else ""
    )
    return f'<rect {_place(box.frame)} rx="{_number(box.radius)}" fill="{box.fill}"{border}/>'


def _place(frame: Frame) -> str:
    return (
        f'x="{_number(frame.x)}" y="{_number(frame.y)}"'
        f' width="{_number(frame.width)}" height="{_number(frame.height)}"'
    )


def _line(line: Line) -> str:
    dashed = ' stroke-dasharray="5 3"' if line.dashed else ""
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in line.points)
    return (
        f'<polyline points="{points}" fill="none" stroke="{line.stroke}"'
        f' stroke-width="{_number(line.thickness)}" stroke-linejoin="round"{dashed}/>'
    )


def _cells(cells: Cells) -> str:
    path = "".join(
        f"M{_number(one.x)} {_number(one.y)}h{_number(one.width)}v{_number(one.height)}"
        f"h-{_number(one.width)}z"
        for one in cells.frames
    )
    return f'<path d="{path}" fill="{cells.fill}" stroke="{cells.stroke}" stroke-width="0.8"/>'


def _text(text: Text) -> str:
    size = f' font-size="{_number(text.size)}"' if text.size != 11 else ""
    weight = ' font-weight="bold"' if text.bold else ""
    anchor = f' text-anchor="{text.anchor}"' if text.anchor != "start" else ""
    return (
        f'<text x="{_number(text.x)}" y="{_number(text.y)}"{size}{weight}{anchor}'
        f' fill="{text.ink}">{escape(plain(text.text))}</text>'
    )


def _sign(sign: Sign) -> Iterator[str]:
    fill, ink, mark = _SIGN[sign.severity]
    x, y = sign.x, sign.y
    if sign.severity == "note":
        yield (
            f'<circle cx="{_number(x + 6)}" cy="{_number(y + 6)}" r="5.5" fill="{fill}"'
            f' stroke="{INK}" stroke-width="0.8"/>'
        )
    else:
        yield (
            f'<path d="M{_number(x + 6)} {_number(y)}L{_number(x + 12)} {_number(y + 11.5)}'
            f'H{_number(x)}z" fill="{fill}" stroke="{INK}" stroke-width="0.8"'
            ' stroke-linejoin="round"/>'
        )
    yield (
        f'<text x="{_number(x + 6)}" y="{_number(y + 10)}" font-size="9" font-weight="bold"'
        f' text-anchor="middle" fill="{ink}">{mark}</text>'
    )


def _number(value: float) -> str:
    """At most one decimal: fine enough for the eye, and the same on every machine."""
    text = f"{value:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


def escape(text: str) -> str:
    """A text as XML takes it, in elements and attributes."""
    for letter, name in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot"), ("'", "#39")):
        text = text.replace(letter, f"&{name};")
    return text
