"""--picture FILE: formats, converters, whole or not at all."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from provision.cli import main, picture
from provision.cli.picture import may_draw, save_picture
from provision.host.errors import ProvisionError
from provision.host.run import which
from provision.view.picture import draw

from .machines import bridged

HOST = Path(__file__).parents[3] / "golden/hosts/article"
PNG = b"\x89PNG\r\n\x1a\n"


def run(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def without_converters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "_CONVERTERS", {})
    monkeypatch.setitem(sys.modules, "cairosvg", None)


def test_plan_draws_its_instances(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "machine.svg"
    words = ("plan", HOST / "host.yaml", "--facts", HOST / "facts.json", "--picture", file)
    assert run(*words) == 0
    said = capsys.readouterr()
    assert said.err == f"wrote {file}\n" and "Nothing has been changed." in said.out
    assert ">Instances as planned<" in file.read_text() and ">large.0<" in file.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["machine.svg"]


def test_inspect_draws_what_it_sees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "root"
    cpu = root / "sys/devices/system/cpu"
    cpu.mkdir(parents=True)
    (cpu / "online").write_text("0-3\n")
    file = tmp_path / "machine.svg"
    assert run("inspect", "--sysroot", root, "--picture", file, "--json") == 0
    said = capsys.readouterr()
    assert said.err == f"wrote {file}\n" and said.out.startswith("{")
    assert "CPUs 0-3<" in file.read_text()


def test_a_plan_that_cannot_be_made_leaves_no_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    (root / "sys/devices/system/cpu").mkdir(parents=True)
    file = tmp_path / "machine.svg"
    words = ("inspect", "--sysroot", root, "--spec", HOST / "host.yaml", "--picture", file)
    assert run(*words) == 1
    assert "which was not found on the host" in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize("name", ["machine", "machine.pdf", "machine.svg.gz"])
def test_another_format_is_refused_before_anything_is_done(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProvisionError, match=r"an \.svg file or a \.png file") as error:
        may_draw(tmp_path / name)
    assert error.value.diagnostics[0].rule == "picture-format"
    assert run("inspect", "--picture", tmp_path / name) == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_converter_a_png_is_refused_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_converters(monkeypatch)
    with pytest.raises(ProvisionError) as error:
        may_draw(tmp_path / "machine.png")
    (said,) = error.value.diagnostics
    assert said.rule == "no-converter"
    assert said.hint and "librsvg2-bin" in said.hint and "machine.svg" in said.hint
    may_draw(tmp_path / "machine.svg")


def test_the_first_converter_that_manages_makes_the_png(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs are tried in turn: one that fails, one that writes rubbish, one that works."""
    write = "import sys; open(sys.argv[2], 'wb').write(bytes.fromhex(sys.argv[1]))"

    def writes(content: bytes) -> picture.Converter:
        return lambda _svg, png: [sys.executable, "-c", write, content.hex(), str(png)]

    chain: dict[str, picture.Converter] = {
        "true": lambda _svg, _png: ["false"],
        "cat": writes(b"rubbish"),
        "sh": writes(PNG + b"made"),
    }
    monkeypatch.setattr(picture, "_CONVERTERS", chain)
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    file = tmp_path / "machine.png"
    save_picture(file, bridged())
    assert file.read_bytes() == PNG + b"made"
    del chain["sh"]
    with pytest.raises(ProvisionError, match="false: exit code 1: no output") as error:
        save_picture(file, bridged())
    assert error.value.diagnostics[0].rule == "picture-failed"
    assert file.read_bytes() == PNG + b"made", "what was there before is whole"
    assert [path.name for path in tmp_path.iterdir()] == ["machine.png"]


@pytest.mark.skipif(which("rsvg-convert") is None, reason="rsvg-convert is not installed")
def test_rsvg_makes_a_png_of_twice_the_size(tmp_path: Path) -> None:
    file = tmp_path / "-odd name %d.PNG"
    facts = bridged()
    save_picture(file, facts)
    made = file.read_bytes()
    width = int.from_bytes(made[16:20], "big")
    drawn = draw(facts).split('width="', 1)[1].split('"', 1)[0]
    assert made.startswith(PNG) and width == 2 * float(drawn)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProvisionError) as error:
        save_picture(tmp_path / "file/machine.svg", bridged())
    assert error.value.diagnostics[0].rule == "unwritable"


def test_a_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "out.svg"
    os.mkfifo(pipe)
    facts = bridged()
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    save_picture(pipe, facts)
    reader.join(10)
    assert read == [draw(facts)]
    assert pipe.is_fifo()


def test_nothing_is_drawn_without_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    may_draw(None)
    save_picture(None, bridged())
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")
