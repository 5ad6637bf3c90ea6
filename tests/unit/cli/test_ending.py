"""Every end: exit code, stream, one line or a traceback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from provision.host.errors import Exit

from .conftest import CHECKOUT, FACTS, PLANNED, SPEC, Call, as_nobody, shell


def test_version_loads_no_library() -> None:
    code = (
        "import sys\nfrom provision.cli import main\n"
        "try: main(['--version'])\n"
        "finally: print(sorted({'click', 'pydantic', 'jinja2', 'yaml'} & set(sys.modules)))"
    )
    said = shell(code=code)
    assert said.code == 0
    assert re.fullmatch(r"provision \d+\.\d+\.\d+\n\[\]\n", said.out)


def test_verify_and_status_load_neither_pydantic_nor_jinja() -> None:
    code = (
        "import sys\nfrom provision.cli import main\n"
        "try: main(['status'])\n"
        "finally: print(sorted({'pydantic', 'jinja2', 'yaml'} & set(sys.modules)), file=sys.stderr)"
    )
    assert shell(code=code).err.endswith("[]\n")


def test_no_command_shows_the_help_on_stderr() -> None:
    said = shell()
    assert (said.code, said.out) == (Exit.USAGE, "")
    assert "Usage: provision" in said.err
    for name in (
        "inspect",
        "plan",
        "render",
        "diff",
        "apply",
        "confirm",
        "rollback",
        "recover",
        "history",
        "verify",
        "status",
        "remove",
        "fleet",
    ):
        assert f"  {name} " in said.err
    said = shell("fleet")
    assert (said.code, said.out) == (Exit.USAGE, "")
    assert said.err.startswith("Usage: provision fleet")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("plam",), "no command 'plam': did you mean plan?"),
        (("plan",), "Missing argument 'HOST.YAML|PLAN.JSON'"),
        (("plan", "--no-such", "x"), "--no-such"),
        (("apply", *PLANNED, "--root", FACTS), "is a file"),
    ],
)
def test_usage_errors_are_64_and_name_the_help(
    call: Call, words: tuple[str, ...], text: str
) -> None:
    said = call(*words)
    assert (said.code, said.out) == (Exit.USAGE, "")
    assert text in said.err
    assert "hint: provision" in said.err


def test_an_unreadable_spec_is_one_line(call: Call, tmp_path: Path) -> None:
    said = call("plan", tmp_path / "none.yaml")
    assert said.code == Exit.ERROR
    assert said.err == f"error: {tmp_path}/none.yaml: No such file or directory\n"
    said = call("plan", tmp_path)
    assert said.code == Exit.ERROR
    assert said.err == f"error: {tmp_path}: Is a directory\n"


def test_a_spec_without_end_is_refused(call: Call) -> None:
    said = call("plan", "/dev/zero")
    assert (said.code, said.err) == (Exit.ERROR, "error: /dev/zero: larger than 16 MiB\n")


def test_all_complaints_come_at_once_with_their_places(call: Call, tmp_path: Path) -> None:
    spec = tmp_path / "host.yaml"
    spec.write_text("version: 1\ninstances:\n  chat:\n    engin: vllm\n    gpus: -1\n")
    said = call("plan", spec, "--facts", FACTS)
    assert (said.code, said.out) == (Exit.ERROR, "")
    assert f"{spec}:4:5: error:" in said.err
    assert f"{spec}:5:11: error:" in said.err
    assert "\n   4 |     engin: vllm\n     |     ^^^^^\n" in said.err


def test_facts_that_are_none(call: Call, tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text('{"version": 7}')
    said = call("plan", SPEC, "--facts", facts)
    assert said.code == Exit.ERROR
    assert "version is 7, this program reads version 1" in said.err


def test_spec_and_facts_cannot_both_be_stdin(call: Call) -> None:
    said = call("plan", "-", "--facts", "-")
    assert said.code == Exit.ERROR
    assert "only one of" in said.err


def test_spec_from_stdin_is_named_so() -> None:
    said = shell("plan", "-", "--facts", FACTS, given="version: 1\ninstances: {}\n")
    assert said.code == Exit.ERROR
    assert said.err.startswith("<stdin>:")
    said = shell("plan", "-", "--facts", FACTS, "--json", given=Path(SPEC).read_text())
    assert said.code == 0
    assert '"host": "gpu-box-1"' in said.out


_UNFORESEEN = (
    "from provision import pipeline\nfrom provision.cli import main\nimport sys\n"
    "def boom(*_): raise ZeroDivisionError('a\\nb')\n"
    "pipeline.plan = boom\nmain()"
)


def test_the_unforeseen_is_one_line_that_names_debug() -> None:
    said = shell("plan", *PLANNED, code=_UNFORESEEN)
    assert (said.code, said.out) == (1, "")
    assert "mistake in provision: ZeroDivisionError: a b" in said.err
    assert "provision --debug plan" in said.err
    assert "Traceback" not in said.err


def test_debug_gives_the_traceback() -> None:
    said = shell("--debug", "plan", *PLANNED, code=_UNFORESEEN)
    assert said.code == 1
    assert "Traceback" in said.err and "in boom" in said.err
    said = shell("plan", "/none.yaml", env={"PROVISION_DEBUG": "1"})
    assert said.code == 1
    assert "Traceback" in said.err and "error: /none.yaml" in said.err


def test_interrupted_is_130() -> None:
    code = (
        "from provision import pipeline\nfrom provision.cli import main\nimport os, signal\n"
        "pipeline.plan = lambda *_: os.kill(os.getpid(), signal.SIGINT)\nmain()"
    )
    said = shell("plan", *PLANNED, code=code)
    assert (said.code, said.out, said.err) == (130, "", "interrupted\n")


def test_a_reader_that_goes_away_is_no_error() -> None:
    """More than a pipe holds is written, to a pipe that nobody reads any more."""
    end, start = os.pipe()
    os.close(end)
    code = (
        "import sys\nfrom provision.cli import main\nfrom provision import pipeline\n"
        "real = pipeline.plan\n"
        "def many(*given):\n    print('x' * 1_000_000)\n    return real(*given)\n"
        "pipeline.plan = many\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "plan", *PLANNED],
        stdout=start,
        stderr=subprocess.PIPE,
        cwd=CHECKOUT,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN),
    )
    os.close(start)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "provision", "plan", *PLANNED],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=CHECKOUT,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: No space left on device\n")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(closed: str, tmp_path: Path) -> None:
    """With stdout closed the plan's file must not get the number 1 and everything printed."""
    output = tmp_path / "plan.json"
    line = f'exec "$@" {closed}'
    done = subprocess.run(
        [
            "sh",
            "-c",
            line,
            "sh",
            sys.executable,
            "-m",
            "provision",
            "plan",
            *PLANNED,
            "-o",
            str(output),
        ],
        cwd=CHECKOUT,
        check=False,
    )
    assert done.returncode == 0
    assert output.read_text().startswith("{") and output.read_text().endswith("}\n")


def test_colour_only_where_it_is_wanted() -> None:
    bad = ("plan", "/none.yaml")
    assert "\x1b" not in shell(*bad).err
    assert "\x1b[31m" in shell(*bad, env={"FORCE_COLOR": "1"}).err
    assert "\x1b" not in shell(*bad, env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).err
    forced = shell("plan", *PLANNED, env={"FORCE_COLOR": "1"}).out
    plain = shell("plan", *PLANNED).out
    assert "\x1b" in forced and re.sub(r"\x1b\[[0-9;]*m", "", forced) == plain


def test_a_locale_without_unicode_gets_letters(tmp_path: Path) -> None:
    said = shell("apply", *PLANNED, "--root", tmp_path, "--yes", env={"PYTHONIOENCODING": "ascii"})
    assert said.code == 0
    assert (said.out + said.err).isascii()
    assert "  ok " in said.err


@pytest.mark.parametrize(
    "words",
    [("apply", "/none.yaml", "--yes"), ("diff", "/none.yaml"), ("remove", "--yes"), ("verify",)],
)
def test_what_needs_root_says_so_before_anything_else(words: tuple[str, ...]) -> None:
    said = as_nobody(*words)
    assert (said.code, said.out) == (Exit.ERROR, "")
    assert "root is needed\n   hint: sudo provision" in said.err
    assert "none.yaml" not in said.err


def test_what_reads_needs_no_root(tmp_path: Path) -> None:
    assert as_nobody("inspect", "--json").code == 0
    assert as_nobody("status").code in (Exit.OK, Exit.NOT_AS_PLANNED)
    said = as_nobody("plan", *PLANNED)
    assert said.code == 0
    assert "small.0" in said.out
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o011)
    said = as_nobody("apply", *PLANNED, "--root", tmp_path / "scratch", "--yes")
    assert said.code == 0, said.err
    assert (tmp_path / "scratch/etc/provision/instances/small.0.env").is_file()
