"""A proxy over two stubs: one of them leaves and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provision.host.balancer.drain import wait_idle
from provision.host.balancer.upstreams import Holder, bring_in, level, take_out
from provision.host.bundle import Drain, Expectation, Instance, InstanceRuntime
from provision.host.facts import Placed

from .balancer_bed import BODY, Bed, proxy
from .nginx_bed import Backend, ask, backends, free_ports


@dataclass
class Pair:
    """A proxy over two stubs, chat.0 and chat.1."""

    bed: Bed
    zero: Backend
    one: Backend

    def take_out(self, why: str = "test", who: Holder = "apply") -> None:
        take_out(self.bed.nginx, self.bed.files, ["chat.0"], who, why, self.bed.door)

    def bring_in(self, who: Holder = "apply") -> None:
        bring_in(self.bed.nginx, self.bed.files, ["chat.0"], who, self.bed.door)

    def level(self) -> bool:
        return level(self.bed.nginx, self.bed.files, self.bed.door)

    def drained(self, patience: int = 60) -> float:
        found = wait_idle(instance(patience), self.bed.files, self.zero.port, door=self.bed.door)
        assert found.idle, found.left
        return found.seconds

    def shares(self, requests: int = 12) -> tuple[int, int]:
        """How many of so many requests each stub gets now."""
        before = len(self.zero.seen), len(self.one.seen)
        for _ in range(requests):
            assert ask(self.bed.listen, "/v1/completions", BODY).status == 200
        return len(self.zero.seen) - before[0], len(self.one.seen) - before[1]


def instance(patience: int) -> Instance:
    unit = "ollama@chat.0.service"
    return Instance(
        "chat.0",
        "chat",
        "ollama",
        unit,
        "d" * 64,
        InstanceRuntime(1, "chat.0"),
        Expectation("ollama"),
        Placed("chat.0", "ollama", unit),
        Drain(patience_seconds=patience),
    )


@contextmanager
def pair(folder: Path, mode: str = "answer", workers: int = 4) -> Iterator[Pair]:
    listen, *ports = free_ports(3)
    zero, one = (
        Backend(port, "stream" if mode == "stream" else "answer", delay_seconds=0.01)
        for port in ports
    )
    with backends(zero, one), proxy(folder, listen, *ports, workers=workers) as bed:
        yield Pair(bed, zero, one)
