"""One lasting ssh connection to a test host: commands and files."""

from __future__ import annotations

import contextlib
import io
import shlex
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Command = str | Sequence[str]
STALE_EXIT = 255  # what ssh itself exits with; a remote command is not expected to


class UnreachableError(RuntimeError):
    pass


class Shell:
    """Root's shell on one host.

    A new connection costs 2.5 s under emulation, so all commands share one (ssh's ControlMaster),
    opened by `connect` and held by a child process that dies with this one.
    """

    def __init__(
        self, address: str, key: Path, *, port: int = 22, within: Sequence[str] = ()
    ) -> None:
        self.address = address
        self.key = key
        self.port = port
        self.within = list(within)  # for example ip netns exec NAME
        # Short, since a socket's path has room for 107 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="ptb-ssh"))
        self._control = self._folder / "control"
        self._master: subprocess.Popen[bytes] | None = None

    @property
    def options(self) -> list[str]:
        """ssh options with which this host can be reached, by Ansible too."""
        return [
            *("-i", str(self.key)),
            *("-o", "IdentitiesOnly=yes"),
            *("-o", "BatchMode=yes"),
            *("-o", "ConnectTimeout=5"),
            *("-o", "StrictHostKeyChecking=no"),
            *("-o", "UserKnownHostsFile=/dev/null"),
            *("-o", "LogLevel=ERROR"),
        ]

    def connect(self, timeout: float, alive: Callable[[], bool] = lambda: True) -> None:
        """Wait until the host takes commands. `alive` tells whether waiting still makes sense."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not alive():
                raise UnreachableError(f"{self.address}:{self.port} died before ssh answered")
            self.disconnect()
            self._master = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "TERM", "--"),
                    *self._ssh("-M", "-N", "-o", "ServerAliveInterval=20"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            while time.monotonic() < deadline and self._master.poll() is None:
                if self._control.exists():  # made once the session is authenticated
                    return
                time.sleep(0.05)
            time.sleep(0.2)
        raise UnreachableError(f"no ssh from {self.address}:{self.port} within {timeout:.0f} s")

    def disconnect(self) -> None:
        if self._master is not None:
            self._master.terminate()
            try:
                self._master.wait(5)
            except subprocess.TimeoutExpired:
                self._master.kill()
                self._master.wait()
            self._master = None
        self._control.unlink(missing_ok=True)

    def close(self) -> None:
        self.disconnect()
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def run(
        self,
        command: Command,
        *,
        check: bool = True,
        timeout: float = 60,
        input: str | None = None,  # noqa: A002 (the name that subprocess.run has for it)
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell line, or an argument list, as root on the host."""
        line = command if isinstance(command, str) else shlex.join(command)
        stdin = None if input is None else input.encode()
        done = self._run(line, stdin, timeout)
        result = subprocess.CompletedProcess(
            line, done.returncode, done.stdout.decode(), done.stderr.decode()
        )
        if check and result.returncode:
            raise AssertionError(
                f"{line!r} exited {result.returncode} on {self.address}:{self.port}\n"
                f"{result.stdout}{result.stderr}"
            )
        return result

    def put(self, local: Path, remote: str, *, timeout: float = 120) -> None:
        """Copy a file, or a folder with all that is in it, to the path `remote`.

        Folders above it are made; into a folder that exists the files are merged. All of it
        belongs to root.
        """
        local, target = Path(local), Path(remote)

        def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            return entry

        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(local, arcname=target.name, filter=owned_by_root)
        parent = shlex.quote(str(target.parent))
        line = f"mkdir -p {parent} && tar -xC {parent}"
        self._checked(line, packed.getvalue(), timeout)

    def get(self, remote: str, local: Path, *, timeout: float = 120) -> None:
        """Copy a file or folder from the host to the path `local`."""
        source, local = Path(remote), Path(local)
        line = f"tar -cC {shlex.quote(str(source.parent))} {shlex.quote(source.name)}"
        packed = self._checked(line, None, timeout)
        local.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=local.parent, prefix=".get") as folder,
            tarfile.open(fileobj=io.BytesIO(packed)) as archive,
        ):
            archive.extractall(folder)  # the host is ours: its archive is trusted
            (Path(folder) / source.name).rename(local)

    def _ssh(self, *extra: str) -> list[str]:
        port = ["-p", str(self.port)]
        control = ["-S", str(self._control)]
        return [*self.within, "ssh", *self.options, *port, *control, *extra, f"root@{self.address}"]

    def _run(
        self, line: str, stdin: bytes | None, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        # Through the master where it lives, else by a connection of its own: slower, as right.
        argv = [*self._ssh("-o", "ControlMaster=no"), line]
        return subprocess.run(
            argv,
            input=b"" if stdin is None else stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def _checked(self, line: str, stdin: bytes | None, timeout: float) -> bytes:
        done = self._run(line, stdin, timeout)
        if done.returncode:
            raise AssertionError(f"{line!r} exited {done.returncode}: {done.stderr.decode()}")
        return done.stdout
