"""Waiting until an instance that gets no new requests has finished those it has.

It is idle when, twice in a row and half a second apart,
- the engine's own count is 0 (Drain.metric, where it has one),
- nginx has no connection to its port: after take_out each of those is a request in flight
  (balancer/connections.py says why),
- no worker that leaves is still reading a request that it may pass on to it,
- and, where the engine does not tell a count, nobody else has a connection on which a request
  waits for its answer or an answer flows. A connection that is merely kept open does not count.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from ..bundle import Drain, Instance, Probe
from ..errors import ProvisionError
from ..files import Files
from ..probe import fetch
from ..secrets import read_bearer
from .connections import Connection, connections, going_to, peers, sockets_of, unsent
from .door import Door, Service, workers_of
from .samples import samples

_PAUSE = 0.5
_IN_A_ROW = 2
_READING_SECONDS = 10.0  # somebody may connect and never ask; who comes later is sent on by nginx
_PROBE_SECONDS = 5.0  # an engine that does not tell is looked at from outside


@dataclass(frozen=True, slots=True)
class Drained:
    """idle False: its patience ended first; `left` says what it was still doing."""

    idle: bool
    seconds: float
    left: str = ""


def wait_idle(
    instance: Instance,
    files: Files,
    port: int,
    alive: Callable[[], bool] = lambda: True,
    door: Door | None = None,
) -> Drained:
    """Wait until nothing is worked on, at most drain.patience_seconds. Call after take_out.

    Ends at once when `alive` says the process is gone. port: where it listens now, which may not
    be the one that it is going to have. door: as for take_out, nginx.service by default.
    """
    began = time.monotonic()
    deadline = began + instance.drain.patience_seconds
    if door is None and files.live:
        door = Service()
    quiet = 0
    while True:
        if not alive():
            return Drained(True, time.monotonic() - began)
        waited = time.monotonic() - began
        left = _left(instance.drain, files, port, door, reading=waited < _READING_SECONDS)
        quiet = 0 if left else quiet + 1
        if quiet >= _IN_A_ROW:
            return Drained(True, time.monotonic() - began)
        if time.monotonic() >= deadline:
            return Drained(False, time.monotonic() - began, left or "idle for a moment only")
        time.sleep(max(0.0, min(_PAUSE, deadline - time.monotonic())))


def _left(drain: Drain, files: Files, port: int, door: Door | None, *, reading: bool) -> str:
    """What is still to be finished, in words; empty when nothing is."""
    seen = connections()
    passed, read, ends = _of_nginx(port, door, seen)
    if passed:
        return f"{_requests(passed)} through nginx"
    if reading and read:
        return f"{_requests(read)} that nginx is still reading"
    running = _running(drain, files, port)
    if running is not None:
        return f"{_requests(running)} by {drain.metric}" if running > 0 else ""
    # Its near end is gone from nginx already, its far end may live a moment longer.
    others = [one for one in peers(port) or () if one.busy and one.port not in ends]
    return f"{_requests(len(others))} past nginx" if others else ""


def _of_nginx(
    port: int, door: Door | None, seen: tuple[Connection, ...]
) -> tuple[int, int, set[int]]:
    """Requests in flight to the port, requests still being read, ports of nginx's ends."""
    master = door.master() if door else None
    passed, read = 0, 0
    ends: set[int] = set()
    for worker in workers_of(master) if master else ():
        owned = sockets_of(worker.pid)
        found = going_to(port, seen, owned)
        passed += len(found)
        ends |= {one.local_port for one in found}
        if worker.leaving:
            read += unsent(seen, owned)
    return passed, read, ends


def _running(drain: Drain, files: Files, port: int) -> float | None:
    """The engine's own count of requests; None where it has none or does not tell it now."""
    if drain.idle is None or drain.metric is None:
        return None
    try:
        bearer = read_bearer(files, drain.idle.bearer) if drain.idle.bearer else None
    except ProvisionError:
        return None
    text = fetch(_on_port(drain.idle, port), bearer)
    return None if text is None else samples(text).get(drain.metric)


def _on_port(probe: Probe, port: int) -> Probe:
    """The same question where the instance listens now."""
    parts = urlsplit(probe.url)
    url = urlunsplit(parts._replace(netloc=f"{parts.hostname}:{port}"))
    seconds = min(probe.timeout_seconds, _PROBE_SECONDS)
    return dataclasses.replace(probe, url=url, timeout_seconds=seconds)


def _requests(number: float) -> str:
    return f"{number:g} request{'' if number == 1 else 's'}"
