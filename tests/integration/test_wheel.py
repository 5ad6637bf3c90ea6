"""What is shipped: the sdist is complete, the wheel made from it works from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
ARTICLE = CHECKOUT / "tests/golden/hosts/article"
_BUILD = "import hatchling.build as b, sys; print(getattr(b, sys.argv[1])(sys.argv[2]))"

pytestmark = pytest.mark.timeout(600)


def run(*words: str | Path, cwd: Path) -> str:
    """A program's stdout; its stderr where it fails. Nothing of this checkout is on its path."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the build backend and, by path alone, our dependencies.

    A plain line in a .pth file adds a folder without running the .pth files in it: an editable
    installation of this checkout stays invisible.
    """
    folder = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    python = folder / "bin/python"
    run(python, "-m", "pip", "install", "--quiet", "hatchling>=1.25", cwd=folder)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(site.strip()) / "libraries.pth").write_text("\n".join(sorted(libraries)) + "\n")
    return python


@pytest.fixture(scope="module")
def sdist(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sdist")
    name = run(python, "-c", _BUILD, "build_sdist", out, cwd=CHECKOUT).split()[-1]
    return out / name


@pytest.fixture(scope="module")
def wheel(python: Path, sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the unpacked sdist, not from the checkout."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(source)
    top = next(source.iterdir())
    return out / run(python, "-c", _BUILD, "build_wheel", out, cwd=top).split()[-1]


@pytest.fixture(scope="module")
def provision(python: Path, wheel: Path) -> Path:
    """The installed command."""
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, cwd=wheel.parent)
    return python.parent / "provision"


def shipped(folder: str) -> set[str]:
    """The files of a data folder, as a fresh clone has them."""
    return {
        str(path.relative_to(CHECKOUT))
        for path in (CHECKOUT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_sdist_carries_all_that_a_build_and_its_tests_need(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert shipped("templates") | shipped("playbooks") | shipped("examples") <= names
    assert {"pyproject.toml", "Makefile", "README.md", "LICENSE", "provision/py.typed"} <= names
    assert "tests/golden/hosts/article/host.yaml" in names
    assert not [
        name for name in names if "__pycache__" in name or name.startswith((".venv", "demo"))
    ]


def test_wheel_carries_the_program_and_its_data_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry = archive.read(next(name for name in names if name.endswith("entry_points.txt")))
    data = {f"provision/_data/{name}" for name in shipped("templates") | shipped("playbooks")}
    assert data and data <= names
    assert "provision/py.typed" in names
    assert b"provision = provision.cli:main" in entry
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "provision",
        "llm_provision",
    }


def test_the_installed_command_does_the_main_job_from_any_folder(
    provision: Path, tmp_path: Path
) -> None:
    where = run(
        provision.parent / "python",
        "-c",
        "import provision; print(provision.__file__)",
        cwd=tmp_path,
    )
    assert str(provision.parent.parent) in where, "the wheel itself is under test"
    assert run(provision, "--version", cwd=tmp_path).startswith("provision ")
    planned = (ARTICLE / "host.yaml", "--facts", ARTICLE / "facts.json")
    assert "small.0" in run(provision, "plan", *planned, cwd=tmp_path)
    run(provision, "render", *planned, "-o", "out", cwd=tmp_path)
    expected = ARTICLE / "expected/etc/systemd/system/ollama@.service"
    rendered = tmp_path / "out/etc/systemd/system/ollama@.service"
    assert rendered.read_text() == expected.read_text()
    for last in ("Undo: provision remove", "Nothing to change"):
        said = run(provision, "apply", *planned, "--root", "root", "--yes", cwd=tmp_path)
        assert last in said.splitlines()[-1]
    agent = tmp_path / "root/usr/local/lib/provision/host.pyz"
    said = run(sys.executable, "-I", agent, "status", "--root", tmp_path / "root", cwd=tmp_path)
    assert '"host": "gpu-box-1"' in said
    run(provision, "remove", "--root", "root", "--yes", cwd=tmp_path)
    assert not [path for path in (tmp_path / "root/etc").rglob("*") if path.is_file()]


def test_the_agent_of_the_wheel_is_the_agent_of_the_checkout(
    provision: Path, tmp_path: Path
) -> None:
    """Same bytes from any folder: a host is not changed by where the tool was installed."""
    code = (
        "import hashlib; from provision.host.archive import build_agent;"
        " print(hashlib.sha256(build_agent()).hexdigest())"
    )
    installed = run(provision.parent / "python", "-c", code, cwd=tmp_path)
    assert installed == run(sys.executable, "-c", code, cwd=CHECKOUT)
