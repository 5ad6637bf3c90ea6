"""The NVML stand-in as a driver: one build a session, one sitting a subprocess.

A subprocess, since the dynamic linker reads LD_LIBRARY_PATH only when a program starts, and since
pynvml keeps the library that it once loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.host.document import from_plain, loads
from provision.host.facts import Facts
from provision.host.inspect.nvidia.answers import NvmlAnswers

_ROOT = Path(__file__).resolve().parents[3]
_ASK = """
from provision.host.document import dumps
from provision.host.inspect.nvidia.nvml.child import ask_nvml
print(dumps(ask_nvml({limit})))
"""
# Many tables in one process, without the child: table_file is what the library reads next.
_ASK_MANY = """
import json, os, sys
from provision.host.document import to_plain
from provision.host.inspect.nvidia.nvml.sitting import sit
import pynvml
table_file = os.environ["NVML_STANDIN_TABLE"]
answers = []
for table in json.load(sys.stdin):
    with open(table_file, "w") as file:
        file.write(table)
    answers.append(to_plain(sit()))
    pynvml.nvmlShutdown()
print(json.dumps(answers))
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

    def run(self, code: str, table: str | None, stdin: str = "") -> str:
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
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def ask(self, table: str | None, limit: float = 60) -> NvmlAnswers:
        """The answers with this table; limit: seconds that the driver has."""
        return loads(NvmlAnswers, self.run(_ASK.format(limit=limit), table))

    def ask_many(self, tables: Sequence[str]) -> list[NvmlAnswers]:
        """The answers with each of many tables, by one process: quick, and without its child."""
        told = json.loads(self.run(_ASK_MANY, tables[0], json.dumps(list(tables))))
        return [from_plain(NvmlAnswers, one) for one in told]

    def inspect(self, table: str | None) -> Facts:
        return loads(Facts, self.run(_INSPECT, table))
