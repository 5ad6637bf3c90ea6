"""A virtual machine: two NUMA nodes, cgroup v2 with cpuset, four GPUs on the PCI bus.

It boots once for an image and is then saved as it runs ("golden"); each clone is restored from
that in seconds and writes to a disk of its own.

    with Vm.clone("pins") as vm:
        vm.ssh("systemctl start llama-server@chat.0")
        vm.reboot()

Under emulation everything is some 30 times slower than it was: give time-outs five times what you
see (Python starts in 1.3 s, a unit in 0.5 s, a daemon-reload takes 2 s).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from . import image as images
from . import product, qemu
from .image import Image
from .shell import Command, Shell, UnreachableError

BOOT_SECONDS = 420  # measured: 12-17 s idle, 83 s on a busy machine
BOOT_ATTEMPTS = 3
RESTORE_SECONDS = 120  # measured: 7-11 s

# Read once before the snapshot, so that a clone finds it in its page cache.
WARM_UP = (
    "systemctl daemon-reload; nginx -t; llama-server --version; numactl --hardware; lspci;"
    " curl -s http://127.0.0.1/ > /dev/null; cat /opt/llama-cpp/xllamacpp/*.so > /dev/null;"
    " PYTHONPATH=/opt/provision/lib python3 -P -c"
    " 'import click, jinja2, yaml, pydantic, pynvml, json, asyncio';"
    " systemd-run --wait -q true; sync"
)


class Vm:
    """A running clone. Made by `Vm.clone`."""

    def __init__(self, image: Image, folder: Path, disk: Path, restore: Path | None) -> None:
        self.image = image
        self.folder = folder
        self.port = _free_port()
        self._disk = disk
        self.shell = Shell("127.0.0.1", image.key, port=self.port)
        self._qemu = qemu.Qemu(image, disk, self.port, folder, restore)

    # --- life ------------------------------------------------------------------------------------

    @classmethod
    def golden(cls, cache: Path | None = None) -> Path:
        """The folder with the snapshot (disk.qcow2, state.zst), made when it is not cached."""
        image = images.build(cache)
        folder = image.folder / f"golden-{_machine_hash(image)}"
        with (image.folder / "golden.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once boot it once
            if not folder.exists():
                _boot_golden(image, folder)
        return folder

    @classmethod
    @contextlib.contextmanager
    def clone(cls, name: str, cache: Path | None = None) -> Iterator[Vm]:
        """A machine of your own, running, with ssh; gone with its disk at the end."""
        golden = cls.golden(cache)
        with tempfile.TemporaryDirectory(prefix=f"ptb-{name}-") as temporary:
            folder = Path(temporary)
            disk = folder / "disk.qcow2"
            qemu.create_overlay(disk, golden / "disk.qcow2", "qcow2")
            vm = cls(Image(golden.parent), folder, disk, golden / "state.zst")
            try:
                vm._wait(RESTORE_SECONDS)
                # It woke up at the time of its snapshot.
                vm.ssh(f"date -s @{time.time():.0f} > /dev/null")
                yield vm
            finally:
                vm.close()

    def close(self) -> None:
        self.shell.close()
        self._qemu.kill()

    # --- commands and files ----------------------------------------------------------------------

    def ssh(
        self,
        cmd: Command,
        check: bool = True,
        timeout: float = 120,
        input: str | None = None,  # noqa: A002 (the name that subprocess.run has for it)
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell line or an argument list as root."""
        return self.shell.run(cmd, check=check, timeout=timeout, input=input)

    def put(self, local: Path, remote: str) -> None:
        self.shell.put(local, remote)

    def get(self, remote: str, local: Path) -> None:
        self.shell.get(remote, local)

    def install(self, source: Path) -> None:
        """Put `provision` from a wheel or a checkout onto the machine; it then runs as `provision`.

        What was installed before is replaced.
        """
        with tempfile.TemporaryDirectory(prefix="ptb-product") as folder:
            staged = product.stage(source, Path(folder) / "lib", self.image)
            self.ssh(f"rm -rf {product.LIBRARY}/provision {product.LIBRARY}/llm_provision-*")
            self.put(staged, product.LIBRARY)

    def stand_in(self, *engines: str) -> None:
        """Put the stand-in of "ollama" or "vllm" where that engine is usually installed."""
        self.ssh(["stand-in", *engines])

    # --- power -----------------------------------------------------------------------------------

    def reboot(self) -> float:
        """Reboot through systemd; returns the seconds until ssh was back."""
        before, started = self.boot_id(), time.monotonic()
        self.ssh("systemctl reboot", check=False)  # the connection may go first
        deadline = started + BOOT_SECONDS
        self.shell.disconnect()
        while time.monotonic() < deadline:
            self._wait_booted(deadline - time.monotonic())
            # sshd answers for a moment longer on its way down.
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                if self.boot_id() != before:
                    return time.monotonic() - started
            time.sleep(0.5)
        raise TimeoutError(f"no reboot within {BOOT_SECONDS} s\n{self._qemu.logs()}")

    def power_off_hard(self) -> None:
        """Cut the power: what was not synced to the disk is lost."""
        self.shell.disconnect()
        self._qemu.kill()

    def boot(self) -> float:
        """Start after `power_off_hard`, from the disk as it is; returns seconds until ssh."""
        if self._qemu.alive():
            raise RuntimeError("the machine is running")
        started = time.monotonic()
        self._start()
        self._wait_booted(BOOT_SECONDS)
        return time.monotonic() - started

    def boot_id(self) -> str:
        return self.ssh("cat /proc/sys/kernel/random/boot_id").stdout.strip()

    def logs(self) -> str:
        return self._qemu.logs()

    def _start(self) -> None:
        self._qemu = qemu.Qemu(self.image, self._disk, self.port, self.folder)

    def _wait(self, timeout: float) -> None:
        try:
            self.shell.connect(timeout, self._qemu.alive)
        except UnreachableError as error:
            raise UnreachableError(f"{error}\n{self._qemu.logs()}") from error

    def _wait_booted(self, timeout: float) -> None:
        """Wait for ssh after a boot; a kernel that stalled on the way is started anew.

        QEMU 7.2's emulation of several CPUs loses the first timer interrupt of one now and then
        (1 boot of about 30): "rcu_preempt detected stalls ... Possible timer handling issue".
        """
        deadline = time.monotonic() + timeout
        for attempt in range(BOOT_ATTEMPTS):
            try:
                self.shell.connect(
                    deadline - time.monotonic(),
                    lambda: self._qemu.alive() and not self._qemu.stalled(),
                )
                return
            except UnreachableError as error:
                if attempt == BOOT_ATTEMPTS - 1 or not self._qemu.stalled():
                    raise UnreachableError(f"{error}\n{self._qemu.logs()}") from error
                self._qemu.kill()
                self._start()


def _boot_golden(image: Image, folder: Path) -> None:
    """Boot, let it settle, warm its caches, save it; built aside and renamed."""
    building = Path(tempfile.mkdtemp(prefix=".golden", dir=image.folder))
    try:
        disk = building / "disk.qcow2"
        # Relative, since the folder is renamed and the cache may be moved.
        qemu.create_overlay(disk, Path("..") / "root.ext4", "raw")
        vm = Vm(image, building, disk, restore=None)
        try:
            vm._wait_booted(BOOT_SECONDS)
            settled = vm.ssh("systemctl is-system-running --wait", check=False, timeout=300)
            if settled.stdout.strip() != "running":
                failed = vm.ssh("systemctl --failed --no-legend", check=False).stdout
                raise RuntimeError(f"the machine is {settled.stdout.strip()}:\n{failed}")
            vm.ssh(WARM_UP, timeout=300)
            vm.shell.disconnect()
            vm._qemu.save(building / "state.zst")
        finally:
            vm.close()
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _machine_hash(image: Image) -> str:
    """What a snapshot depends on besides the image: QEMU, its options, what is warmed up."""
    parts = [qemu.version(), *qemu.machine(image), WARM_UP]
    text = "\n".join(parts).replace(str(image.folder), "")
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _free_port() -> int:
    # Another program could take it before QEMU does; QEMU then ends at once and says so.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
