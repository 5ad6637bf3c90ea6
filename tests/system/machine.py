"""A test host with the product on it, and short ways to ask it things."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.standin.build import build, table_text

from .testbed.shell import Shell
from .testbed.vm import Vm

CHECKOUT = Path(__file__).resolve().parents[2]
# What the operating system itself writes: not ours to compare.
NOISE = (
    r"-path /var/lib/systemd -o -path /var/lib/private -o -name '*-' -o -name .pwd.lock"
    r" -o -name ld.so.cache"
)


class Host:
    """A virtual machine or a container with the product on it."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def run(
        self,
        line: str,
        *,
        check: bool = True,
        timeout: float = 300,
        input: str | None = None,  # noqa: A002 (the name that subprocess.run has for it)
    ) -> str:
        return self.shell.run(line, check=check, timeout=timeout, input=input).stdout

    def code(self, line: str, timeout: float = 600) -> tuple[int, str]:
        done = self.shell.run(line, check=False, timeout=timeout)
        return done.returncode, done.stdout + done.stderr

    def spec(self, text: str) -> None:
        self.run("cat > /root/host.yaml", input=text)

    def apply(self, document: str = "/root/host.yaml") -> dict[str, Any]:
        code, said = self.code(f"provision apply {document} --yes --json 2>/root/apply.log")
        assert code == 0, said + self.run("cat /root/apply.log")
        result: dict[str, Any] = json.loads(said)
        return result

    def verify(self) -> dict[str, Any]:
        code, said = self.code("provision verify --json")
        report: dict[str, Any] = json.loads(said)
        bad = [one for one in report["checks"] if one["ok"] is not True]
        assert code == 0 and not bad, bad
        return report

    def pid(self, unit: str) -> int:
        return int(self.run(f"systemctl show -p MainPID --value {unit}"))

    def invocations(self, units: Iterable[str]) -> dict[str, str]:
        """Which start of each unit is running; nginx and the GPU settings always take part."""
        text = self.run(
            f"for u in {' '.join(units)} nginx provision-gpu-settings; do"
            " echo $u $(systemctl show -p InvocationID --value $u); done"
        )
        return dict(line.split() for line in text.splitlines())

    def files(self, run: str = "/run/provision.lock /run/provision/*.env") -> str:
        """Every file's path, kind, mode, owner, link target and time of change.

        run: what of /run belongs to an apply; the watch writes its own files there at any time.
        """
        return self.run(
            rf"find /etc /usr/local /var/lib /var/cache {run} \( {NOISE} \) -prune"
            r" -o -printf '%p %y %m %u %l %C@\n' 2>/dev/null | sort",
            check=False,
        )

    def environment(self, unit: str) -> dict[str, str]:
        """The environment of the unit's main process, from /proc."""
        text = self.run(f"tr '\\0' '\\n' < /proc/{self.pid(unit)}/environ")
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def limits_are(self, watts: int | None, persistence: bool | None = None) -> None:
        """All GPUs at this limit (None: the default), persistence on with a limit unless said."""
        facts = json.loads(self.run("provision inspect --json"))
        limits = {gpu["power_limit_watts"] for gpu in facts["volatile"]["gpus"]}
        modes = {gpu["persistence"] for gpu in facts["volatile"]["gpus"]}
        defaults = {gpu["power_default_watts"] for gpu in facts["stable"]["gpus"]}
        assert limits == ({float(watts)} if watts else defaults)
        assert modes == {watts is not None if persistence is None else persistence}

    def wait_active(self, units: Iterable[str]) -> None:
        self.run(
            f"for u in {' '.join(units)} nginx; do for i in $(seq 90); do"
            " systemctl is-active -q $u && continue 2; sleep 2; done;"
            " systemctl status $u; exit 1; done",
            timeout=400,
        )

    def names(self) -> set[str]:
        """Paths alone, with kind, mode and owner, what lies in /run included."""
        return {line.rsplit(" ", 1)[0] for line in self.files("/run/provision*").splitlines()}


class VmHost(Host):
    """The virtual machine: it can be rebooted, and files come back from it."""

    def __init__(self, vm: Vm) -> None:
        super().__init__(vm.shell)
        self.vm = vm


def install_nvml(shell: Shell, folder: Path, addresses: Sequence[str] = ()) -> None:
    """NVML for GPUs at these PCI addresses, or where the GPUs of a virtual machine really sit."""
    if not addresses:
        addresses = shell.run("lspci -D -d 10de: | cut -d' ' -f1").stdout.split()
        assert len(addresses) == 4
    library = build(folder)
    shell.put(library, "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1")
    table = folder / "nvml-standin.tsv"
    # No driver knows which process computes where: a GPU is used by whoever names it.
    scan = "scan\tvariable=CUDA_VISIBLE_DEVICES"
    table.write_text(table_text(addresses, more=[scan]))
    shell.put(table, "/etc/nvml-standin.tsv")
