"""The NVML stand-in as a driver: one build a session, one sitting a subprocess.

A subprocess, since the dynamic linker reads LD_LIBRARY_PATH only when a program starts, and since
pynvml keeps the library that it once loaded.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from provision.host.document import loads
from provision.host.facts import Facts
from provision.host.inspect.nvml import NvmlAnswers

_ROOT = Path(__file__).resolve().parents[3]
_ASK = """
from provision.host.document import dumps
from provision.host.inspect.nvml import ask_nvml
print(dumps(ask_nvml()))
"""
_INSPECT = """
from provision.host.document import dumps
from provision.host.facts import InspectRequest
from provision.host.inspect import inspect
print(dumps(inspect(InspectRequest())))
"""


@dataclass(frozen=True)
class Driver:
    """A compiled stand-in, and a folder of this test for the table and the settings."""

    library: Path
    folder: Path

    def run(self, code: str, table: str | None) -> str:
        """Run Python code with this driver; table None: it finds none, as without a module."""
        path = self.folder / "table.tsv"
        path.unlink(missing_ok=True)
        if table is not None:
            path.write_text(table)
        environment = {
            **os.environ,
            "LD_LIBRARY_PATH": str(self.library.parent),
            "NVML_STANDIN_TABLE": str(path),
            "NVML_STANDIN_STATE": str(self.folder / "state"),
            "PYTHONPATH": str(_ROOT),
        }
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def ask(self, table: str | None) -> NvmlAnswers:
        return loads(NvmlAnswers, self.run(_ASK, table))

    def inspect(self, table: str | None) -> Facts:
        return loads(Facts, self.run(_INSPECT, table))
