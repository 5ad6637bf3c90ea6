"""The agent: the same bytes from everywhere, and a command line of its own."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import provision.host
from provision.host.archive import agent_artifacts, build_agent
from provision.host.document import dumps
from provision.host.errors import Exit

from .agent import Agent
from .bundles import ENV, FIRST, bundle, tree

_BUILD = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from provision.host.archive import build_agent
sys.stdout.buffer.write(build_agent())
"""


def pythons() -> set[str]:
    """This Python and all others of the supported ones that start here."""
    names = [shutil.which(f"python3.{minor}") for minor in (10, 11, 12, 13)]
    found = {name for name in names if name}
    works = {one for one in found if not subprocess.run([one, "-c", ""], check=False).returncode}
    return {sys.executable, *works}


def test_same_bytes_from_another_folder_umask_time_and_python(tmp_path: Path) -> None:
    here = Path(provision.host.__file__).parents[2]
    copy = tmp_path / "elsewhere"
    shutil.copytree(here / "provision", copy / "provision")
    for path in copy.rglob("*"):
        path.chmod(0o700)
        os.utime(path, (1, 1))
    pynvml = subprocess.run(
        [sys.executable, "-c", "import pynvml; print(pynvml.__file__)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    wanted = build_agent()
    for python in pythons():
        built = subprocess.run(
            [python, "-c", _BUILD, str(copy), str(Path(pynvml).parent)],
            capture_output=True,
            check=True,
            umask=0o077,
            env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "7"},
        )
        assert hashlib.sha256(built.stdout).digest() == hashlib.sha256(wanted).digest(), python


def test_holds_the_host_half_and_pynvml_alone() -> None:
    names = zipfile.ZipFile(io.BytesIO(build_agent())).namelist()
    assert names == sorted(names)
    assert {"__main__.py", "pynvml.py", "provision_host/unit/guard.py"} <= set(names)
    assert "provision_host/inspect/__init__.py" in names
    assert all(name.endswith(".py") for name in names)
    assert {name.partition("/")[0] for name in names} == {
        "__main__.py",
        "pynvml.py",
        "provision_host",
    }


def test_artifacts_are_a_file_named_by_its_digest_and_the_link() -> None:
    data = build_agent()
    file, link = agent_artifacts(data)
    name = f"provision-host-{hashlib.sha256(data).hexdigest()[:12]}.pyz"
    assert file.path == f"/usr/local/lib/provision/{name}"
    assert base64.b64decode(file.content) == data and file.mode == 0o644
    assert (link.path, link.kind, link.content) == (
        "/usr/local/lib/provision/host.pyz",
        "link",
        name,
    )


def test_inspect_runs_with_nothing_but_python(agent: Agent) -> None:
    ran = agent.verb("inspect")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["version"] == 1


def test_changes_apply_status_remove_as_documents(agent: Agent) -> None:
    wanted = dumps(bundle())
    told = agent.verb("changes", stdin=wanted)
    assert told.returncode == Exit.DIFFERS
    assert {one["path"] for one in json.loads(told.stdout)["files"]} >= set(FIRST)
    assert agent.verb("apply", "--check", stdin=wanted).returncode == Exit.DIFFERS
    assert tree(agent.files) == {}
    applied = agent.verb("apply", stdin=wanted)
    assert applied.returncode == 0, applied.stderr
    assert json.loads(applied.stdout)["changed"] is True
    assert json.loads(agent.verb("apply", stdin=wanted).stdout)["changed"] is False
    assert agent.verb("changes", stdin=wanted).returncode == 0
    status = json.loads(agent.verb("status").stdout)
    assert (status["generation"], status["instances"][0]["name"]) == (1, "chat.0")
    agent.files.write(ENV, b"by hand", 0o600)
    assert agent.verb("apply", stdin=wanted).returncode == Exit.CONFLICT
    assert agent.verb("remove", "--check").returncode == Exit.DIFFERS
    assert agent.verb("remove").returncode == 0
    assert json.loads(agent.verb("remove").stdout)["changed"] is False


@pytest.mark.parametrize(
    ("words", "stdin", "code", "said"),
    [
        (("apply",), "{", Exit.ERROR, "not JSON"),
        (("apply",), '{"version": 9}', Exit.ERROR, "version is 9"),
        (("guard", "../../etc/passwd"), "", Exit.ERROR, "is not the name of an instance"),
        (("ready", "nobody.0"), "", Exit.ERROR, "does not exist"),
        (("verify",), "", Exit.ERROR, "nothing was applied"),
        (("gpu-settings",), "", Exit.ERROR, "does not exist"),
        (("nonsense",), "", Exit.USAGE, "invalid choice"),
        (("guard",), "", Exit.USAGE, "required"),
    ],
)
def test_bad_input_is_a_sentence(
    agent: Agent, words: tuple[str, ...], stdin: str, code: int, said: str
) -> None:
    ran = agent.verb(*words, stdin=stdin)
    assert ran.returncode == code
    assert said in ran.stderr and "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_a_fault_of_ours_is_a_sentence_too_unless_debugging(agent: Agent) -> None:
    folder = agent.files.at("/var/lib/provision/state.json")
    folder.mkdir(parents=True)  # reading it as a file is no case that the code knows
    agent.files.at("/run").mkdir()
    agent.files.at("/run/provision.lock").mkdir()
    quiet = agent.verb("apply", stdin=dumps(bundle()))
    assert quiet.returncode == 1 and "Traceback" not in quiet.stderr
    assert "PROVISION_DEBUG=1" in quiet.stderr
    loud = agent.verb("apply", stdin=dumps(bundle()), env={"PROVISION_DEBUG": "1"})
    assert "Traceback" in loud.stderr
