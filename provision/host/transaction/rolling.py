"""One instance after the other: out of the balancer, idle, restarted, proven, back in.

What does not run yet serves nobody: such instances load their models at the same time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .. import systemd
from ..balancer.drain import wait_idle
from ..balancer.upstreams import bring_in, hold_quietly, level, load_holds, take_out
from ..bundle import Bundle, Instance, Nginx
from ..errors import fail
from ..files import Files
from ..names import NGINX_UNIT
from ..proof.live import environ_of
from ..sockets import listeners, split_listen
from ..systemd import UnitError, UnitStatus
from .instance_changes import running_digest
from .steps import Steps

_HEALTHY_SECONDS = 60  # for replicas that are just coming back


@dataclass(frozen=True, slots=True)
class Rolling:
    """How instances of one bundle take the place of those of another behind one balancer.

    wanted: what is to run. last: what ran so far, whose ports and counts of requests hold until an
    instance is restarted. They are the same on the way back.
    """

    wanted: Bundle
    last: Bundle
    files: Files
    steps: Steps

    @property
    def nginx(self) -> Nginx | None:
        """The balancer, where it serves now."""
        served = self.wanted.nginx is not None and self.last.nginx is not None
        if not served or not systemd.status(NGINX_UNIT).running or self._blocked():
            return None
        return self.wanted.nginx

    def prepare(self) -> None:
        """Before anything stops: who does not answer where his line says is held out.

        The workers then know the wanted configuration, without those that are on their way out.
        """
        if not self.files.live or self.wanted.nginx is None:
            return
        seen = systemd.statuses([one.unit for one in self.wanted.instances])
        held = {(one.unit, one.port) for one in listeners()}
        routed = [one for one in self.wanted.instances if self._routed(one)]
        running = [one for one in routed if seen[one.unit].running]
        out = [one.name for one in routed if not seen[one.unit].running]
        ports: dict[str, int] = {}
        for one in running:
            if (one.unit, one.expectation.port) in held:
                continue
            before = self._before(one).expectation.port
            if (one.unit, before) in held:
                ports[one.name] = before
            else:
                out.append(one.name)
        hold_quietly(self.files, out, "apply", "is not started yet", ports)

    def announce(self) -> None:
        """Let the workers know what prepare() and the files on disk say."""
        if self.nginx:
            level(self.nginx, self.files)

    def begin(self, instances: Iterable[Instance]) -> set[str]:
        """Have those of them that are stopped start at once, as after a boot; their units.

        Not two on one GPU: engines measure what is free there while they start. ProvisionError
        where systemd does not even take the jobs. renew() waits for each of them.
        """
        chosen = list(instances)
        seen = systemd.statuses([one.unit for one in chosen])
        taken: set[str] = set()
        units: list[str] = []
        for one in chosen:
            if seen[one.unit].stopped and not taken & set(one.placed.gpus):
                units.append(one.unit)
            taken |= set(one.placed.gpus)
        if len(units) < 2:  # a single one gains nothing
            return set()
        for unit in units:
            systemd.reset_failed(unit)
        systemd.queue_start(*units)
        return set(units)

    def renew(
        self, instance: Instance, verb: str, *, keep: bool = True, begun: bool = False
    ) -> str:
        """Start or restart one instance and prove that it runs as wanted; what happened, in words.

        begun: begin() has started it already, which is waited for.

        ProvisionError (UnitError) where it fails, or where too few replicas would be left (unless
        keep is False: on the way back everything goes back).
        """
        waited = ""
        status = None if begun else systemd.status(instance.unit)
        if status and status.running:
            if keep:
                self._demand_healthy(instance)
            waited = self.empty(instance, status, "is restarted")
        act = systemd.restart if verb == "restart" else systemd.start
        if begun:
            act = systemd.join_start
        act(instance.unit, instance.start_timeout_seconds)
        said = _demand_digest(instance)
        self.admit(instance)
        word = "restarted" if verb == "restart" else "started"
        return f"{waited}{word}, {said or 'ready'}"

    def empty(self, instance: Instance, status: UnitStatus, why: str) -> str:
        """Out of the balancer and idle; in words what it took. Its requests end where they are."""
        nginx = self.nginx
        if nginx and self._routed(instance):
            take_out(nginx, self.files, [instance.name], "apply", why)
        elif not (nginx and self._routed_before(instance)):
            return ""  # nobody stands between it and its clients
        pid = status.main_pid
        drained = wait_idle(
            self._before(instance),
            self.files,
            self._before(instance).expectation.port,
            lambda: pid is not None and environ_of(pid) is not None,
        )
        if not drained.idle:
            self.steps.add(
                instance.name,
                f"not idle after {drained.seconds:.0f} s ({drained.left}): its requests are cut",
            )
        return f"idle after {drained.seconds:.1f} s, " if drained.seconds >= 1 else ""

    def admit(self, instance: Instance) -> None:
        """Back into the balancer: it has just generated a token, whatever the watch saw before."""
        nginx = self.nginx
        for who in ("watch", "apply"):
            if nginx and self._routed(instance):
                bring_in(nginx, self.files, [instance.name], who)

    def _blocked(self) -> bool:
        """Whether one of our instances still holds a port on which nginx is to listen.

        Until it has left, nginx could not take its new configuration.
        """
        listens = self.wanted.nginx.listens if self.wanted.nginx else ()
        ports = {split_listen(one)[1] for one in listens}
        if not ports & {port for one in self.last.instances for port in one.placed.ports}:
            return False
        ours = {one.unit for one in (*self.last.instances, *self.wanted.instances)}
        return any(one.port in ports and one.unit in ours for one in listeners())

    def _routed(self, instance: Instance) -> bool:
        nginx = self.wanted.nginx
        return nginx is not None and instance.name in {one.instance for one in nginx.servers}

    def _routed_before(self, instance: Instance) -> bool:
        nginx = self.last.nginx
        return nginx is not None and instance.name in {one.instance for one in nginx.servers}

    def _before(self, instance: Instance) -> Instance:
        """The instance as it still runs."""
        return next((one for one in self.last.instances if one.unit == instance.unit), instance)

    def _demand_healthy(self, instance: Instance) -> None:
        """So many others of its group serve as it must leave behind; waits for those that start."""
        others = [
            one
            for one in self.wanted.instances
            if one.group == instance.group and one.name != instance.name
        ]
        needed = min(instance.min_healthy, len(others))
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while True:
            healthy = self._healthy(others)
            if len(healthy) >= needed:
                return
            if time.monotonic() > deadline:
                break
            time.sleep(1)
        missing = ", ".join(sorted(one.name for one in others if one.name not in healthy))
        raise fail(
            "too-few-healthy",
            f"{instance.name} is not restarted: {len(healthy)} other replicas of {instance.group} "
            f"serve, min_healthy is {instance.min_healthy}; {missing} does not",
            f"see what it lacks: provision verify; or lower min_healthy of {instance.group}",
        )

    def _healthy(self, others: Iterable[Instance]) -> set[str]:
        chosen = {one.unit: one.name for one in others}
        seen: Mapping[str, UnitStatus] = systemd.statuses(list(chosen))
        holds = load_holds(self.files)
        return {
            name
            for unit, name in chosen.items()
            if seen[unit].active == "active" and not holds.holding(name)
        }


def _demand_digest(instance: Instance) -> str:
    """The unit runs, with the environment that was written; the line of `ready` about its start."""
    status = systemd.status(instance.unit)
    digest = running_digest(status)
    if not status.running or digest != instance.digest:
        what = f"is {status.active}" if not status.running else "runs with another environment"
        error = fail(
            "unit-failed",
            f"{instance.unit} {what} after its start",
            f"look for drop-ins that are not ours: systemctl cat {instance.unit}",
        )
        raise UnitError(instance.unit, error)
    found = re.findall(r"ready after .*", systemd.lines_of_start(status))
    return found[-1] if found else ""
