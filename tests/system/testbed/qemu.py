"""QEMU: the machine's shape, its process and its monitor."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from .image import Image

PROGRAM = "qemu-system-x86_64"
GPU_COUNT = 4
# `tsc=reliable clocksource=tsc`: under emulation the clock is else found unstable, and slow.
KERNEL_OPTIONS = (
    "console=ttyS0 quiet mitigations=off nokaslr random.trust_cpu=on net.ifnames=0 nowatchdog "
    "tsc=reliable clocksource=tsc 8250.nr_uarts=1 no_timer_check audit=0 "
    "systemd.show_status=0 systemd.hostname=vm0"
)


def machine(image: Image) -> list[str]:
    """Options that make the machine. A snapshot is restored only into the very same machine.

    Four CPUs on two sockets, each a NUMA node of 1 GiB; two PCIe host bridges, one a node, with two
    GPUs each behind root ports: x16 but for the last, which is x8.
    """
    options = [
        *("-M", "q35,usb=off,vmport=off,sata=off,smbus=off"),
        *("-accel", "tcg,thread=multi,tb-size=256"),
        *("-cpu", "max", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-smp", "4,sockets=2,cores=2,threads=1", "-m", "2G"),
        *("-object", "memory-backend-ram,id=m0,size=1G"),
        *("-object", "memory-backend-ram,id=m1,size=1G"),
        *("-numa", "node,nodeid=0,cpus=0-1,memdev=m0"),
        *("-numa", "node,nodeid=1,cpus=2-3,memdev=m1"),
        *("-numa", "dist,src=0,dst=1,val=21"),
        *("-kernel", str(image.folder / "vmlinuz"), "-initrd", str(image.folder / "initrd.img")),
        *("-append", KERNEL_OPTIONS),
        *("-plugin", f"{image.folder / 'fakegpu.so'},dev=2330"),
        *("-device", "pxb-pcie,id=pxb0,bus_nr=32,numa_node=0,bus=pcie.0"),
        *("-device", "pxb-pcie,id=pxb1,bus_nr=64,numa_node=1,bus=pcie.0"),
    ]
    for gpu in range(GPU_COUNT):
        port = f"id=rp{gpu},bus=pxb{gpu // 2},chassis={gpu + 1},slot={gpu + 1}"
        width = 8 if gpu == GPU_COUNT - 1 else 16
        options += ["-device", f"pcie-root-port,{port},x-speed=16,x-width={width}"]
    for gpu in range(GPU_COUNT):
        options += ["-device", f"edu,bus=rp{gpu}"]
    return options


def version() -> str:
    done = subprocess.run(
        [PROGRAM, "--version"], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.splitlines()[0]


def create_overlay(disk: Path, backing: Path, backing_format: str) -> None:
    """A disk that holds only what is written over `backing`; a relative backing moves along."""
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(backing), "-F", backing_format, disk],
        check=True,
        timeout=60,
        cwd=disk.parent,
    )


class Qemu:
    """One QEMU process; its logs and monitor stand in `folder`."""

    def __init__(
        self, image: Image, disk: Path, ssh_port: int, folder: Path, restore: Path | None = None
    ) -> None:
        self.folder = folder
        self._monitor = folder / "qmp"
        self._monitor.unlink(missing_ok=True)
        # cache=unsafe leaves out the outer machine's fsync alone. What the guest syncs has reached
        # the outer machine's page cache, and that survives a killed QEMU, which is our power loss.
        drive = f"file={disk},format=qcow2,if=none,id=d0,cache=unsafe"
        argv = [
            *("setpriv", "--pdeathsig", "KILL", "--", PROGRAM, *machine(image)),
            *("-drive", drive, "-device", "virtio-blk-pci,drive=d0,bus=pcie.0"),
            *("-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{ssh_port}-:22"),
            *("-device", "virtio-net-pci,netdev=n0,bus=pcie.0,romfile="),
            *("-serial", f"file:{folder / 'serial.log'}"),
            *("-qmp", f"unix:{self._monitor},server=on,wait=off"),
        ]
        if restore is not None:
            argv += ["-incoming", f"exec:zstd -q -dc {shlex.quote(str(restore))}"]
        with (folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def stalled(self) -> bool:
        """Whether the kernel has complained of a CPU that gets no timer interrupts."""
        serial = self.folder / "serial.log"
        return serial.exists() and b"rcu_preempt detected stalls" in serial.read_bytes()

    def wait(self, timeout: float) -> None:
        """Wait until it has ended by itself."""
        self._process.wait(timeout)

    def kill(self) -> None:
        """As if the power was cut."""
        if self.alive():
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(30)

    def save(self, state: Path, timeout: float = 300) -> None:
        """Write the running machine's state to `state` and end.

        There is no `stop` before: the state would say so, and a clone would come up paused.
        """
        with Monitor(self._monitor) as monitor:
            monitor.execute("migrate-set-parameters", {"max-bandwidth": 100 << 30})
            uri = f"exec:zstd -q -1 -T2 > {shlex.quote(str(state))}"
            monitor.execute("migrate", {"uri": uri})
            deadline = time.monotonic() + timeout
            while (status := monitor.execute("query-migrate").get("status")) != "completed":
                if status in ("failed", "cancelled") or time.monotonic() > deadline:
                    raise RuntimeError(f"the snapshot was not saved: {status}")
                time.sleep(0.2)
            monitor.execute("quit")
        self.wait(30)

    def logs(self) -> str:
        """The end of what QEMU and the guest's serial console have said."""
        parts = []
        for name in ("qemu.log", "serial.log"):
            path = self.folder / name
            if path.exists():
                parts.append(f"--- {name}\n{path.read_text(errors='replace')[-2000:]}")
        return "\n".join(parts)


class Monitor:
    """QMP, QEMU's JSON monitor."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._lines.readline()  # its greeting
        self.execute("qmp_capabilities")

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def execute(self, command: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        request = {"execute": command, "arguments": arguments or {}}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while line := self._lines.readline():
            answer: dict[str, Any] = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']}")
            if "return" in answer:  # else an event: of no interest
                returned = answer["return"]
                return returned if isinstance(returned, dict) else {}
        raise RuntimeError(f"{command}: QEMU closed its monitor")
