"""Two ways to run a command: in this process, and as users do, in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from provision.cli import main

CHECKOUT = Path(__file__).resolve().parents[3]
ARTICLE = CHECKOUT / "tests/golden/hosts/article"
SPEC = str(ARTICLE / "host.yaml")
FACTS = str(ARTICLE / "facts.json")
PLANNED = (SPEC, "--facts", FACTS)

# Run as root, a child becomes nobody after it has loaded everything: the interpreter itself may
# lie where nobody cannot read it. Otherwise it is nobody special already.
_AS_NOBODY = """\
import contextlib, io, os, sys
from provision.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    for words in (["plan", *{planned!r}], ["diff", *{planned!r}, "--root", "/nonexistent"],
                  ["remove", "--check", "--root", "/nonexistent"], ["status"], ["inspect"]):
        with contextlib.suppress(SystemExit):
            main(words)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
main(sys.argv[1:])
"""


class Said(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Call = Callable[..., Said]


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colours or debugging from the environment of whoever runs the tests."""
    for name in ("NO_COLOR", "FORCE_COLOR", "PROVISION_DEBUG", "PROVISION_TRACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command in this process; what nobody foresaw is raised, not hidden."""

    def run(*words: str | Path) -> Said:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(int(ended.value.code), captured.out, captured.err)

    return run


def shell(
    *words: str | Path,
    env: Mapping[str, str] | None = None,
    given: str = "",
    code: str | None = None,
) -> Said:
    """Run `provision WORDS` (or Python code with these words) in a process without a terminal."""
    start = ["-c", code] if code is not None else ["-m", "provision"]
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        [sys.executable, *start, *map(str, words)],
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        env={**kept, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(CHECKOUT), **(env or {})},
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def as_nobody(*words: str | Path) -> Said:
    """Run a command as an ordinary user."""
    return shell(*words, code=_AS_NOBODY.format(planned=PLANNED))
