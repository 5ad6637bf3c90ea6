"""A fleet of container hosts: systemd as PID 1, sshd, nginx, the engines, each with an address.

They stand on a bridge inside a network namespace, so nothing of this machine's network is touched
and several fleets can be up at once. What has to reach them (Ansible, curl) runs in that namespace:

    with Fleet.up(4) as fleet:
        fleet.ssh(0, "systemctl is-system-running --wait")
        fleet.exec(["ansible-playbook", "-i", "hosts.yaml", "apply.yml"])

All share one read-only tree; what a host writes is in its own memory and gone with it. For reboots,
NUMA, cpuset limits and PCI devices there is the virtual machine: here they are this machine's, and
`AllowedCPUs=` is accepted without effect where cpuset sits on cgroup v1.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import image as images
from . import product
from .image import Image
from .shell import Command, Shell

BOOT_SECONDS = 90  # measured: 1.1 s for one host, 5.4 s for eight
STOP_SECONDS = 20
NETWORK = "10.77.0"
CONTROLLER = f"{NETWORK}.1"
CGROUPS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"))
# Name of a fleet's namespaces: the process that made it, then a number.
NAME = re.compile(r"ptb(\d+)-\d+")


@dataclass(frozen=True)
class Inventory:
    """How Ansible reaches the hosts, when it runs within the fleet's network (`Fleet.exec`)."""

    addresses: tuple[str, ...]
    key: Path
    ssh_args: str
    user: str = "root"
    python: str = "/usr/bin/python3"


class Host:
    """One systemd-nspawn container in a network namespace of its own."""

    def __init__(self, fleet: str, number: int, image: Image, folder: Path) -> None:
        self.name = f"{fleet}h{number}"
        self.address = f"{NETWORK}.{11 + number}"
        self._bridge = fleet
        self._log = folder / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = f"v{number}"  # the bridge's end of its cable
        self.shell = Shell(self.address, image.key, within=_within(fleet))
        self._rootfs = image.rootfs

    def start(self) -> None:
        _ip("netns", "add", self.name)
        _ip(
            *("-n", self._bridge, "link", "add", self._port, "type", "veth"),
            *("peer", "name", "host0", "netns", self.name),
        )
        _ip("-n", self._bridge, "link", "set", self._port, "master", "br0", "up")
        _ip("-n", self.name, "link", "set", "lo", "up")
        _ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "host0")
        _ip("-n", self.name, "link", "set", "host0", "up")
        # A cgroup each: with --keep-unit the guest lives in <own cgroup>/payload, so two guests
        # started from one cgroup would share their system.slice. Not joined by this process: the
        # shell moves itself there before it becomes nspawn.
        joins = []
        for hierarchy in _hierarchies():
            (hierarchy / self.name).mkdir()
            joins.append(f"echo $$ > {hierarchy / self.name}/cgroup.procs")
        nspawn = [
            *("systemd-nspawn", "--quiet", "--boot", "--machine", self.name),
            # There may be no systemd and no machined here to register with.
            *("--register=no", "--keep-unit", "--console=read-only"),
            *("--directory", str(self._rootfs), "--volatile=overlay"),
            f"--network-namespace-path=/run/netns/{self.name}",
            *("systemd.show_status=0", f"systemd.hostname={self.name}"),
        ]
        script = "; ".join(["set -e", *joins, 'exec "$@"'])
        # It asserts on a debug log level (rlimit_format), which CI may have set.
        env = {key: value for key, value in os.environ.items() if key != "SYSTEMD_LOG_LEVEL"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", "sh", "-c", script, "sh", *nspawn],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=env,
            )

    def wait(self, timeout: float) -> None:
        try:
            self.shell.connect(timeout, self.alive)
        except RuntimeError as error:
            log = self._log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name}: {error}\n{log}") from error

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        """SIGTERM makes nspawn shut its container down in order."""
        self.shell.close()
        if self._process is not None and self.alive():
            self._process.terminate()

    def stop(self) -> None:
        """Shut down; a container that does not want to is killed from its PID 1.

        nspawn itself is never killed: its container would live on.
        """
        self.ask_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in _init_of(self.name):
                os.kill(pid, signal.SIGKILL)
            self._process.wait(STOP_SECONDS)

    def unplug(self) -> None:
        """Pull its network cable: connections hang where a stopped host refuses them."""
        _ip("-n", self._bridge, "link", "set", self._port, "down")

    def plug(self) -> None:
        _ip("-n", self._bridge, "link", "set", self._port, "up")


class Fleet:
    """Hosts numbered from 0. Made by `Fleet.up`."""

    _made = 0

    def __init__(self, count: int, image: Image, folder: Path) -> None:
        Fleet._made += 1
        self.name = f"ptb{os.getpid()}-{Fleet._made}"
        self.image = image
        self.hosts = [Host(self.name, number, image, folder) for number in range(count)]

    @classmethod
    @contextlib.contextmanager
    def up(cls, count: int, cache: Path | None = None) -> Iterator[Fleet]:
        image = images.build(cache)
        sweep()
        with tempfile.TemporaryDirectory(prefix="ptb-fleet") as folder:
            fleet = cls(count, image, Path(folder))
            try:
                fleet._start()
                yield fleet
            finally:
                fleet.down()

    def _start(self) -> None:
        _ip("netns", "add", self.name)
        _ip("-n", self.name, "link", "set", "lo", "up")
        _ip("-n", self.name, "link", "add", "br0", "type", "bridge")
        _ip("-n", self.name, "addr", "add", f"{CONTROLLER}/24", "dev", "br0")
        _ip("-n", self.name, "link", "set", "br0", "up")
        for host in self.hosts:
            host.start()
        for host in self.hosts:
            host.wait(BOOT_SECONDS)

    def down(self) -> None:
        """Stop all hosts, remove their namespaces and cgroups. May be called twice."""
        for host in self.hosts:
            host.ask_to_stop()
        failures = []
        for host in self.hosts:
            try:
                host.stop()
            except subprocess.TimeoutExpired as error:
                failures.append(f"{host.name}: {error}")
        _remove(self.name)
        if failures:
            raise RuntimeError("hosts did not stop: " + "; ".join(failures))

    # --- commands and files ----------------------------------------------------------------------

    def ssh(
        self,
        i: int,
        cmd: Command,
        check: bool = True,
        timeout: float = 60,
        input: str | None = None,  # noqa: A002 (the name that subprocess.run has for it)
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell line or an argument list as root on host `i`."""
        return self.hosts[i].shell.run(cmd, check=check, timeout=timeout, input=input)

    def put(self, i: int, local: Path, remote: str) -> None:
        self.hosts[i].shell.put(local, remote)

    def get(self, i: int, remote: str, local: Path) -> None:
        self.hosts[i].shell.get(remote, local)

    def install(self, source: Path) -> None:
        """Put `provision` from a wheel or a checkout onto every host."""
        with tempfile.TemporaryDirectory(prefix="ptb-product") as folder:
            staged = product.stage(source, Path(folder) / "lib", self.image)
            for i in range(len(self.hosts)):
                old = f"{product.LIBRARY}/provision {product.LIBRARY}/llm_provision-*"
                self.ssh(i, f"rm -rf {old}")
                self.put(i, staged, product.LIBRARY)

    def stand_in(self, i: int, *engines: str) -> None:
        """Put the stand-in of "ollama" or "vllm" where that engine is usually installed."""
        self.ssh(i, ["stand-in", *engines])

    def exec(  # the name that `ip netns exec` has for it
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        timeout: float = 300,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine within the fleet's network.

        A program that needs no file of /sys but the network's does not notice the difference.
        """
        done = subprocess.run(
            [*_within(self.name), *argv],
            check=False,
            timeout=timeout,
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{list(argv)} exited {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def inventory(self) -> Inventory:
        return Inventory(
            addresses=tuple(host.address for host in self.hosts),
            key=self.image.key,
            ssh_args=" ".join(self.hosts[0].shell.options[2:]),  # without its -i KEY
        )

    # --- trouble ---------------------------------------------------------------------------------

    def stop_host(self, i: int) -> None:
        """Shut host `i` down for good: its address then is unreachable at once."""
        self.hosts[i].stop()

    def unplug(self, i: int) -> None:
        self.hosts[i].unplug()

    def plug(self, i: int) -> None:
        self.hosts[i].plug()


def sweep() -> None:
    """Remove what fleets of processes that are dead by now have left."""
    for name in {match.group() for entry in _namespaces() if (match := NAME.match(entry))}:
        owner = NAME.fullmatch(name)
        if owner and not Path("/proc", owner.group(1)).exists():
            _remove(name)


def leftovers(fleet: str) -> list[str]:
    """Namespaces and cgroups that still bear the fleet's name."""
    found = [entry for entry in _namespaces() if _belongs(entry, fleet)]
    for hierarchy in _hierarchies():
        found += [str(path) for path in hierarchy.iterdir() if _belongs(path.name, fleet)]
    return sorted(found)


def _remove(fleet: str) -> None:
    """Kill what still runs in the fleet's namespaces, then remove them and the cgroups."""
    for entry in _namespaces():
        if _belongs(entry, fleet):
            for pid in _init_of(entry):
                os.kill(pid, signal.SIGKILL)
            _ip("netns", "delete", entry)
    for hierarchy in _hierarchies():
        for top in hierarchy.iterdir():
            if _belongs(top.name, fleet):
                _remove_cgroup(top)


def _remove_cgroup(top: Path) -> None:
    # A cgroup is busy for a moment after its last process.
    for _ in range(50):
        for path in [*sorted((p for p in top.rglob("*") if p.is_dir()), reverse=True), top]:
            with contextlib.suppress(OSError):
                path.rmdir()
        if not top.exists():
            return
        time.sleep(0.1)
    raise RuntimeError(f"{top} cannot be removed: processes live in it")


def _belongs(entry: str, fleet: str) -> bool:
    return entry == fleet or bool(re.fullmatch(re.escape(fleet) + r"h\d+", entry))


def _namespaces() -> list[str]:
    folder = Path("/run/netns")
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _hierarchies() -> list[Path]:
    """Where systemd keeps its groups: of their own on a hybrid system, else the only ones."""
    found = [path for path in CGROUPS if path.is_dir()]
    return found or [Path("/sys/fs/cgroup")]


def _init_of(namespace: str) -> list[int]:
    """Outer ids of the processes in a network namespace that are PID 1 of a container."""
    listed = subprocess.run(
        [_program("ip"), "netns", "pids", namespace],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    found = []
    for pid in map(int, listed.stdout.split()):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            match = re.search(r"^NSpid:.*\t(\d+)$", status, re.MULTILINE)
            if match and match.group(1) == "1":
                found.append(pid)
    return found


def _within(namespace: str) -> list[str]:
    return [_program("ip"), "netns", "exec", namespace]


def _program(name: str) -> str:
    return shutil.which(name, path=images.PATH) or name


def _ip(*arguments: str) -> None:
    subprocess.run([_program("ip"), *arguments], check=True, capture_output=True, timeout=20)
