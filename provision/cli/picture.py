"""--picture FILE.svg or FILE.png: the machine drawn, with its instances, as a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provision.host.errors import Diagnostic, ProvisionError, fail
from provision.host.run import run, which

if TYPE_CHECKING:
    from provision.host.facts import Facts
    from provision.plan.plan import Plan

picture_option = click.option(
    "--picture",
    metavar="FILE.svg",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the machine into this file: .svg, or .png where a converter is installed.",
)

_SCALE = 2  # pixels of a PNG to a unit of the drawing: sharp when printed
_SECONDS = 120.0
_PNG = b"\x89PNG\r\n\x1a\n"

Converter = Callable[[Path, Path], list[str]]


def _rsvg(svg: Path, png: Path) -> list[str]:
    return ["rsvg-convert", "--zoom", str(_SCALE), "--output", str(png), str(svg)]


def _inkscape(svg: Path, png: Path) -> list[str]:
    words = ["--export-type=png", f"--export-dpi={96 * _SCALE}", f"--export-filename={png}"]
    return ["inkscape", *words, str(svg)]


def _magick(svg: Path, png: Path) -> list[str]:
    return ["magick", "-density", str(96 * _SCALE), f"svg:{svg}", f"png:{png}"]


def _convert(svg: Path, png: Path) -> list[str]:
    return ["convert", "-density", str(96 * _SCALE), f"svg:{svg}", f"png:{png}"]


def _cairosvg(svg: Path, png: Path) -> list[str]:
    code = "import sys, cairosvg; cairosvg.svg2png(url=sys.argv[1], write_to=sys.argv[2], scale=2)"
    return [sys.executable, "-c", code, str(svg), str(png)]


_CONVERTERS: dict[str, Converter] = {
    "rsvg-convert": _rsvg,
    "inkscape": _inkscape,
    "magick": _magick,
    "convert": _convert,
}


def may_draw(path: Path | None) -> None:
    """Say at once, before anything is looked at, that a picture cannot be made.

    ProvisionError `picture-format`: neither .svg nor .png; `no-converter`: a .png, and nothing
    here makes one.
    """
    if path is None:
        return
    if path.suffix.lower() not in (".svg", ".png"):
        raise fail(
            "picture-format",
            f"{path}: a picture is an .svg file or a .png file",
            f"name it {path.stem or 'machine'}.svg",
        )
    if path.suffix.lower() == ".png" and not any(True for _ in _present()):
        raise ProvisionError(
            Diagnostic(
                "no-converter",
                f"{path}: no program here makes a PNG of an SVG (rsvg-convert, inkscape,"
                " ImageMagick or CairoSVG)",
                hint="install the package librsvg2-bin (Debian, Ubuntu) or librsvg2-tools (RHEL,"
                f" Fedora), or name the file {path.stem}.svg: that needs none",
            )
        )


def save_picture(path: Path | None, facts: Facts, plan: Plan | None = None) -> None:
    """Draw the machine into the file, whole or not at all, and say so on stderr.

    ProvisionError `unwritable`, or `picture-failed` with what the converters said.
    """
    if path is None:
        return
    from provision.view.picture import draw

    text = draw(facts, plan).encode()
    _save(path, text if path.suffix.lower() == ".svg" else _png(text))
    print(f"wrote {path}", file=sys.stderr)


def _present() -> Iterator[Converter]:
    """The converters that are installed, best first."""
    for program, converter in _CONVERTERS.items():
        if which(program):
            yield converter
    from importlib.util import find_spec

    if find_spec("cairosvg"):
        yield _cairosvg


def _png(svg: bytes) -> bytes:
    """The picture as a PNG, by the first converter that manages."""
    import tempfile

    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="provision-picture-") as folder:
        source, target = Path(folder, "machine.svg"), Path(folder, "machine.png")
        source.write_bytes(svg)
        for converter in _present():
            ran = run(converter(source, target), timeout=_SECONDS)
            if ran.ok and target.is_file():
                made = target.read_bytes()
                if made.startswith(_PNG):
                    return made
            target.unlink(missing_ok=True)
            said.append(f"{ran.argv[0]}: exit code {ran.code}: {ran.said or 'no output'}")
    raise fail("picture-failed", "; ".join(said), "name the file .svg: that needs no converter")


def _save(path: Path, content: bytes) -> None:
    """Write beside the file and rename, as every result is saved; devices as they are."""
    new = path.with_name(f".{path.name}.new")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        new.write_bytes(content)
        new.replace(path)
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError):  # nothing was begun where the folder is none
            new.unlink()
        raise fail("unwritable", f"{path}: {error.strerror}") from None
