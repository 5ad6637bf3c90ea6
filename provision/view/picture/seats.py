"""Which instance sits where: as the plan has it, or as the host's own record tells of today."""

from __future__ import annotations

from dataclasses import dataclass

from provision.engines.launch import Launch
from provision.host.facts import Facts
from provision.host.quantity import CpuSet
from provision.plan.plan import Plan

from .colours import INSTANCES


@dataclass(frozen=True, slots=True)
class Seat:
    """An instance with its place and its colour."""

    name: str
    engine: str
    port: int | None
    split: str
    gpus: tuple[str, ...]  # UUIDs, of MIG slices too
    cpus: CpuSet
    colour: str


@dataclass(frozen=True, slots=True)
class Seats:
    """All instances. heading: whether they are planned or run today."""

    heading: str = ""
    all: tuple[Seat, ...] = ()

    def at(self, uuid: str) -> tuple[Seat, ...]:
        """Those that use a GPU or slice."""
        return tuple(seat for seat in self.all if uuid in seat.gpus)


def seats(facts: Facts, plan: Plan | None) -> Seats:
    """The instances of the plan; without a plan those that are placed today."""
    if plan is not None:
        planned = tuple(_planned(one, at) for at, one in enumerate(plan.instances))
        return Seats("Instances as planned", planned)
    placed = tuple(
        Seat(one.instance, one.engine, one.port, "", one.gpus, one.cpus, _colour(at))
        for at, one in enumerate(facts.volatile.placed)
    )
    return Seats("Instances placed today", placed) if placed else Seats()


def _planned(launch: Launch, at: int) -> Seat:
    return Seat(
        launch.name,
        launch.engine,
        launch.port or None,
        _split(launch),
        tuple(gpu.uuid for gpu in launch.gpus),
        launch.pin.cpus or CpuSet(),
        _colour(at),
    )


def _colour(at: int) -> str:
    return INSTANCES[at % len(INSTANCES)]


def _split(launch: Launch) -> str:
    """How the model is divided among its GPUs; empty on one GPU."""
    words = []
    if launch.tensor_parallel_size > 1:
        words.append(f"tensor {launch.tensor_parallel_size}")
    if launch.pipeline_parallel_size > 1:
        words.append(f"pipeline {launch.pipeline_parallel_size}")
    return " ".join(words) or ("layers" if len(launch.gpus) > 1 else "")
