"""A container host with the streaming engine, clients that load it, and what both recorded."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .machine import Host
from .testbed.fleet import Fleet
from .testbed.load import Request

CLIENT = Path(__file__).with_name("testbed") / "load.py"
ENGINE = Path(__file__).with_name("testbed") / "streaming_engine.py"
BINARY = "/opt/streaming/llama-server"
RECORDS = "/var/lib/llama-server/streaming"


@dataclass(frozen=True)
class Generation:
    """One generation as the engine saw it. ended: also where its process died, or None: it runs."""

    request: str
    port: int
    pid: int
    began: float
    ended: float | None
    how: str  # end, cut (its client had gone), died (its process had)

    def overlaps(self, other: Generation) -> bool:
        """Whether both ran at one time; what still runs has no end."""
        first, second = sorted((self, other), key=lambda one: one.began)
        return first.ended is None or second.began < first.ended


@dataclass
class Load:
    """Clients at work, or those that were; `requests` are those that are over."""

    out: Path
    process: subprocess.Popen[bytes]
    kept: str | None = field(default=None, repr=False)  # what stood in `out` at the end

    @property
    def requests(self) -> list[Request]:
        text = self.kept
        if text is None:
            text = self.out.read_text() if self.out.exists() else ""
        lines = text.splitlines()
        return [Request(**json.loads(line)) for line in lines if line.endswith("}")]

    def failed(self) -> list[Request]:
        return [one for one in self.requests if one.outcome != "ok"]

    def go_on(self, count: int = 8, seconds: float = 60) -> None:
        """Wait until so many more requests have gone well."""
        done = len(self.requests) - len(self.failed())
        self.until(lambda: len(self.requests) - len(self.failed()) >= done + count, seconds)

    def until(self, true: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert self.process.poll() is None, "the clients have ended"
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s\n{self}"
            time.sleep(0.1)

    def served_by(self, port: int, since: float) -> bool:
        """Whether the engine at this port served a whole request that was sent after `since`."""
        return any(
            one.outcome == "ok" and one.began > since and (one.served or "").startswith(f"{port}/")
            for one in self.requests
        )

    def __str__(self) -> str:
        failed = self.failed()
        lines = "\n".join(map(str, failed[:40]))
        return f"{len(self.requests)} requests, {len(failed)} of them failed\n{lines}"


class LoadHost(Host):
    """One host of a fleet; the clients run here, in its network namespace."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet.hosts[0].shell)
        self._within = ["ip", "netns", "exec", fleet.hosts[0].name]
        self.shell.put(ENGINE, BINARY)
        self.run(f"chmod 755 {BINARY}")

    @contextlib.contextmanager
    def load(
        self, name: str, path: str = "/v1/completions", clients: int = 8, more: Sequence[str] = ()
    ) -> Iterator[Load]:
        """Clients while the block runs. What they have begun they finish at its end.

        path: at the proxy's usual address, or a whole URL.
        """
        with tempfile.TemporaryDirectory(prefix="ptb-load") as folder:
            out = Path(folder) / "requests.jsonl"
            url = f"http://127.0.0.1:8080{path}" if path.startswith("/") else path
            words = [url, str(out), "--name", name, "--clients", str(clients), *more]
            process = subprocess.Popen([*self._within, sys.executable, str(CLIENT), *words])
            try:
                load = Load(out, process)
                load.go_on(2)
                yield load
                process.terminate()
                assert process.wait(60) == 0
                load.kept = out.read_text()
                print(f"{name}: {load}")  # pytest shows it of tests that fail, and with -rP
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()

    def apply(self, document: str = "--steady 0 /root/host.yaml") -> dict[str, Any]:
        """Without waiting whether what was started stays up: the clients would tell."""
        return super().apply(document)

    def watched(self, instance: str) -> str:
        """What the watch makes of an instance: "in" or "out" of the balancer, or less sure."""
        read = json.loads(self.run("cat /run/provision/watch.json"))
        return str(read["instances"][instance]["state"])

    def engine(self, instance: str) -> tuple[int, int]:
        """Port and process of an instance."""
        unit = f"llama-server@{instance}"
        port = self.run(f"systemctl cat {unit} | grep -oP -- '--port \\K[0-9]+'")
        return int(port), self.pid(unit)

    def record(self) -> list[dict[str, Any]]:
        """All events of all streaming engines in order of time."""
        text = self.run(f"cat {RECORDS}/*.jsonl")
        events: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        return sorted(events, key=lambda one: one["at"])

    def lives(self) -> dict[tuple[int, int], float]:
        """Until when each engine process (port, pid) showed that it lives."""
        text = self.run(f"find {RECORDS} -name '*.alive' -printf '%f %T@\\n'")
        found = {}
        for line in text.splitlines():
            name, at = line.split()
            port, pid, _ = name.split(".")
            found[int(port), int(pid)] = float(at)
        return found

    def generations(self) -> list[Generation]:
        """Every generation of a named request."""
        lives = self.lives()
        living = {pid for _, pid in map(self.engine, self.instances())}
        ends = {}
        events = [one for one in self.record() if one["request"] is not None]
        for one in events:
            if one["event"] in ("end", "cut"):
                ends[one["port"], one["pid"], one["number"]] = one["at"], one["event"]
        found = []
        for one in events:
            if one["event"] == "start":
                where = one["port"], one["pid"]
                died = None if one["pid"] in living else lives[where]
                ended, how = ends.get((*where, one["number"]), (died, "died"))
                found.append(Generation(one["request"], *where, one["at"], ended, how))
        return found

    def instances(self) -> list[str]:
        """Instances whose units run now."""
        text = self.run("systemctl list-units --plain --no-legend --state=active 'llama-server@*'")
        units = [line.split()[0] for line in text.splitlines()]
        return [one.removeprefix("llama-server@").removesuffix(".service") for one in units]


def doubles(generations: Sequence[Generation]) -> list[tuple[Generation, Generation]]:
    """Pairs of generations for one request that ran at the same time."""
    of: dict[str, list[Generation]] = defaultdict(list)
    for one in generations:
        of[one.request].append(one)
    return [
        (first, second)
        for same in of.values()
        for number, first in enumerate(same)
        for second in same[number + 1 :]
        if first.overlaps(second)
    ]
