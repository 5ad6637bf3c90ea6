"""The agent as hosts run it, below a scratch root: to its end, watched, or killed by strace."""

from __future__ import annotations

import compileall
import contextlib
import io
import json
import os
import select
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from provision.host.archive import build_agent
from provision.host.document import dumps

from .scenarios import Operation
from .strace import Point, changing_points, killing, watching

ZYGOTE = Path(__file__).with_name("zygote.py")
_SECONDS = 60


@dataclass(frozen=True)
class Ended:
    """How a run ended; a negative code is a signal."""

    code: int
    out: str
    err: str

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Agent:
    """The built archive, unpacked and compiled, in a process that forks one child a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "strace.log"
        program = folder / "host"
        with zipfile.ZipFile(io.BytesIO(build_agent())) as archive:
            archive.extractall(program)
        compileall.compile_dir(program, quiet=1)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(ZYGOTE), str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            cwd="/",
        )

    @classmethod
    @contextmanager
    def at_work(cls, folder: Path) -> Iterator[Agent]:
        agent = cls(folder)
        try:
            yield agent
        finally:
            agent._process.kill()
            agent._process.communicate()

    def run(self, operation: Operation, root: Path) -> Ended:
        """Run to the end."""
        return self._run(operation, root, lambda _: contextlib.nullcontext())

    def watched(self, operation: Operation, root: Path) -> tuple[Ended, tuple[Point, ...]]:
        """Run to the end; what it changed, in order."""
        ended = self._run(operation, root, lambda pid: watching(pid, self._log))
        return ended, changing_points(self._log.read_text(errors="replace"), root)

    def killed(self, operation: Operation, root: Path, point: Point) -> Ended:
        """Run until this call."""
        return self._run(operation, root, lambda pid: killing(pid, point, self._log))

    def _run(
        self,
        operation: Operation,
        root: Path,
        tracing: Callable[[int], AbstractContextManager[None]],
    ) -> Ended:
        files = {name: self._folder / name for name in ("stdin", "out", "err")}
        files["stdin"].write_text(dumps(operation.bundle) if operation.bundle else "")
        job = {name: str(path) for name, path in files.items()}
        pid = int(self._asked({**job, "words": [*operation.words, "--root", str(root)]}))
        try:
            with tracing(pid):
                code = int(self._asked("go"))
        except AssertionError:
            os.kill(pid, signal.SIGKILL)
            raise
        return Ended(code, files["out"].read_text(), files["err"].read_text())

    def _asked(self, line: object) -> str:
        """The answer to a line."""
        assert self._process.stdin and self._process.stdout
        print(json.dumps(line), file=self._process.stdin, flush=True)
        ready, _, _ = select.select([self._process.stdout], [], [], _SECONDS)
        assert ready, f"no answer to {line} within {_SECONDS} s"
        return self._process.stdout.readline()
