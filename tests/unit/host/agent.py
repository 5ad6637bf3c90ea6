"""The built agent as a host runs it: a program of its own, without the checkout, with a driver."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provision.host.document import dumps
from provision.host.files import Files


@dataclass(frozen=True)
class Agent:
    """The zipapp, a compiled NVML stand-in, and this test's folder, which holds a scratch root."""

    pyz: Path
    library: Path
    folder: Path

    @property
    def files(self) -> Files:
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        return Files(root)

    def put(self, path: str, value: object) -> None:
        """A document in the scratch root."""
        self.files.write(path, dumps(value).encode())

    def table(self, text: str | None) -> None:
        """The GPUs of this host; None: no driver."""
        path = self.folder / "table.tsv"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)

    def verb(
        self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A verb of the command line, below the scratch root."""
        command = [sys.executable, "-I", str(self.pyz), *words, "--root", str(self.files.root)]
        return self._run(command, stdin, env)

    def code(self, text: str) -> subprocess.CompletedProcess[str]:
        """Python code that sees the agent's package as `provision_host` and `files`."""
        head = (
            "import sys; from pathlib import Path\n"
            f"sys.path.insert(0, {str(self.pyz)!r})\n"
            "from provision_host.files import Files\n"
            "from provision_host.errors import ProvisionError\n"
            f"files = Files(Path({str(self.files.root)!r}))\n"
        )
        return self._run([sys.executable, "-I", "-c", head + text], "", None)

    def _run(
        self, command: list[str], stdin: str, env: Mapping[str, str] | None
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "LD_LIBRARY_PATH": str(self.library.parent),
            "NVML_STANDIN_TABLE": str(self.folder / "table.tsv"),
            "NVML_STANDIN_STATE": str(self.folder / "settings"),
            **(env or {}),
        }
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            env=environment,
            cwd="/",
            timeout=60,
        )
