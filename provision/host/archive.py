"""The agent: this package as one zipapp, the same bytes wherever and with whatever it is built."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import zipfile
from pathlib import Path

from .bundle import Artifact
from .errors import fail
from .transaction.state import AGENT_FOLDER

PACKAGE = "provision_host"  # never `provision`: the installed tool must not be found instead
LINK = f"{AGENT_FOLDER}/host.pyz"
_LEFT_OUT = ("archive.py",)  # the agent builds no agents
_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
_MAIN = f"""\
import sys

if sys.version_info < (3, 10):
    sys.exit("provision needs Python 3.10 or later, this is " + sys.version.split()[0])
from {PACKAGE}.__main__ import main

sys.exit(main())
"""


def build_agent() -> bytes:
    """The zipapp. Needs the sources of this package beside this file and an installed pynvml.

    Entries are stored, not deflated: zlib's output differs between its versions. Names sorted, one
    fixed time and mode, no byte code.
    """
    entries = {"__main__.py": _MAIN.encode(), "pynvml.py": _pynvml()}
    here = Path(__file__).parent
    for path in here.rglob("*.py"):
        name = path.relative_to(here).as_posix()
        if name not in _LEFT_OUT:
            entries[f"{PACKAGE}/{name}"] = path.read_bytes()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system = 3  # Unix, whatever the builder's own system is
            info.external_attr = 0o100644 << 16
            archive.writestr(info, entries[name])
    return out.getvalue()


def agent_artifacts(data: bytes) -> tuple[Artifact, Artifact]:
    """The agent as an owned file named by its digest, and the stable link that units call."""
    name = f"provision-host-{hashlib.sha256(data).hexdigest()[:12]}.pyz"
    text = base64.b64encode(data).decode()
    return (
        Artifact(f"{AGENT_FOLDER}/{name}", text, 0o644, encoding="base64"),
        Artifact(LINK, name, kind="link"),
    )


def _pynvml() -> bytes:
    spec = importlib.util.find_spec("pynvml")
    if spec is None or spec.origin is None:
        raise fail("no-nvml", "the Python module pynvml is missing", "pip install nvidia-ml-py")
    return Path(spec.origin).read_bytes()
