"""A container host with the agent on it, killed by strace at calls that change something."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from provision.host.archive import build_agent

from .machine import Host

AGENT = "/opt/agent/host.pyz"
LOG = "/root/strace.log"
FILES = "rename,unlink,mkdir,rmdir,symlink,fsync,fchmod,write,openat"
# Programs are started by vfork, their output is read after poll, their end by wait4; connect asks
# an instance or nginx something. So a run also dies before, during and behind each systemctl.
PROGRAMS = "vfork,poll,wait4,connect"
OURS = ("/etc/", "/var/lib/provision", "/run/provision", "/usr/local/")
BUNDLE = """\
import sys
from pathlib import Path
from provision import pipeline
from provision.host.document import dumps
read = pipeline.read(Path("/root/host.yaml").read_text(), "host.yaml")
sys.stdout.write(dumps(pipeline.bundle(pipeline.plan(read, pipeline.inspect(read.spec)))))
"""
# Every file with its mode and digest, every link with its target, besides provision's own records
# of its runs, what the watch unit writes at its own times, and what the operating system does.
LISTING = r"""
ours='/etc /usr/local /run/provision'
skip="( -name .pwd.lock -o -name *- -o -path /usr/local/lib/python3.11 -o -name *.lock
  -o -path /run/provision/health -o -path /run/provision/watch.json )"
set -f
find $ours $skip -prune -o -printf '%y %m %u %p %l\n' 2>/dev/null | sort -k4
find $ours $skip -prune -o -type f -exec sha256sum {} + 2>/dev/null | sort -k2
"""
UNITS = r"""
for u in $(systemctl list-units --all --plain --no-legend 'llama-server@*.service' \
    'provision*' nginx.service | awk '{print $1}' | sort); do
  state=$(systemctl show -p LoadState,ActiveState,SubState,UnitFileState --value $u | paste -sd' ')
  pid=$(systemctl show -p MainPID --value $u)
  echo "$u $state $(tr '\0' '\n' < /proc/$pid/environ 2>/dev/null | grep ^PROVISION_DIGEST=)"
done
"""


@dataclass(frozen=True)
class Point:
    """The number-th call of this name in the agent's own process."""

    call: str
    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.call}:when={self.number} {self.what}"


@dataclass(frozen=True)
class Looks:
    """What a host shows of itself: files, units with the digests they run with, answers."""

    files: tuple[str, ...]
    units: tuple[str, ...]
    answers: tuple[str, ...]

    def unlike(self, other: Looks) -> list[str]:
        """Lines of this one that the other has not, and the reverse."""
        found: list[str] = []
        for mine, its in (
            (self.files, other.files),
            (self.units, other.units),
            (self.answers, other.answers),
        ):
            found += [f"+ {one}" for one in mine if one not in its]
            found += [f"- {one}" for one in its if one not in mine]
        return found


class Victim:
    """The host, and the agent on it as a program of its own."""

    def __init__(self, host: Host, paths: tuple[str, ...]) -> None:
        self.host = host
        self.paths = paths  # that the proxy is asked for
        with tempfile.TemporaryDirectory() as folder:
            pyz = Path(folder, "host.pyz")
            pyz.write_bytes(build_agent())
            host.shell.put(pyz, AGENT)
        # Unpacked and compiled: from the archive each start compiles anew.
        host.run(
            "cd /opt/agent && python3 -m zipfile -e host.pyz . && python3 -m compileall -q ."
            " && cat > /root/bundle.py",
            input=BUNDLE,
        )

    def plan(self, spec: str, document: str) -> None:
        """What this spec means here and now, as a bundle in a file."""
        self.host.spec(spec)
        self.host.run(f"PYTHONPATH=/opt/provision/lib python3 -P /root/bundle.py > {document}")

    def agent(self, words: str) -> tuple[int, str]:
        return self.host.code(f"python3 -I /opt/agent {words}")

    def points(self, words: str) -> list[Point]:
        """Run to the end; the calls of the agent's main thread that change something."""
        trace = f"strace -qq -y -s 0 -o {LOG} -e trace={FILES},{PROGRAMS}"
        code, said = self.host.code(f"{trace} python3 -I /opt/agent {words}")
        assert code == 0, said
        return _points(self.host.run(f"cat {LOG}"))

    def kill(self, words: str, point: Point) -> int:
        """Run and die at this call; the exit code, 137 where it died."""
        inject = f"-e inject={point.call}:signal=KILL:when={point.number}"
        trace = f"strace -qq -o {LOG} -e trace={point.call} {inject}"
        return self.host.code(f"{trace} python3 -I /opt/agent {words}")[0]

    def looks(self) -> Looks:
        asked = []
        for path in self.paths:
            body = json.dumps({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2})
            asked.append(
                f"echo {path} $(for i in 1 2 3; do curl -s -o /dev/null -m 20 -w '%{{http_code}} '"
                f" http://127.0.0.1:8080{path} -d '{body}'; done)"
            )
        return Looks(
            tuple(self.host.run(LISTING, check=False).splitlines()),
            tuple(self.host.run(UNITS).splitlines()),
            tuple(self.host.run("; ".join(asked), check=False).splitlines()),
        )

    def left_over(self) -> list[str]:
        """Traces of a run that should be none: journal, half-written files, stages, failures."""
        said = self.host.run(
            "find /var/lib/provision/journal.json /run/.provision-stage-* 2>/dev/null;"
            " find /etc /usr/local /var/lib/provision /run -xdev -name '.provision-new-*';"
            " systemctl list-units --failed --plain --no-legend",
            check=False,
        )
        return said.splitlines()


def _points(log: str) -> list[Point]:
    """What counts begins with the lock; start-up and reading change nothing."""
    seen: Counter[str] = Counter()
    found: list[Point] = []
    begun = False
    for line in log.splitlines():
        match = re.match(r"(\w+)\((.*)", line)
        if not match:
            continue
        call, rest = match[1], match[2]
        seen[call] += 1
        begun = begun or "provision.lock" in rest
        if begun and _changes(call, rest):
            found.append(Point(call, seen[call], rest[:120]))
    return found


def _changes(call: str, rest: str) -> bool:
    if call in PROGRAMS.split(","):
        return True
    if " = -1 " in rest or not any(one in rest for one in OURS):
        return False
    return call != "openat" or "O_CREAT" in rest
