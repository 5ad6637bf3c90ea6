"""The balancer as the watch sees it: what is judged is made so, errors are tried again."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from ..balancer.door import Door
from ..balancer.upstreams import bring_in, hold_quietly, level, take_out
from ..bundle import Nginx
from ..errors import ProvisionError
from ..files import Files
from .judge import Judgement
from .switch import switch_of
from .wanted import Wanted, as_on_disk

_LONGEST_REASON = 300


class Balance:
    """Switches of one run of the watch. kept: judged out, but the last of a route."""

    def __init__(self, files: Files, say: Callable[[str], None], door: Door | None = None) -> None:
        self.kept: tuple[str, ...] = ()
        self._files = files
        self._say = say
        self._door = door
        self._uneven = False  # the last switch failed
        self._again_at = 0.0
        self._last_error = ""

    def level(self, wanted: Wanted) -> None:
        """Make the workers agree with what is on disk: after a boot all holds are gone."""
        if wanted.nginx is not None:
            nginx = wanted.nginx
            self._try(lambda: self._level(nginx, wanted), "", 0.0)

    def switch(
        self,
        wanted: Wanted,
        judged: Mapping[str, Judgement],
        ours: Collection[str],
        held: Collection[str],
    ) -> None:
        """Bring back and take out what differs from what is judged; those that come back first.

        ours: held out by a watch; held: by an apply.
        """
        nginx = wanted.nginx
        if nginx is None or time.monotonic() < self._again_at:
            return
        todo = switch_of(nginx, judged, ours, held)
        self._tell_kept(todo.kept, judged)
        pause = wanted.settings.interval_seconds
        if todo.back:
            self._try(
                lambda: bring_in(
                    self._now(nginx, wanted), self._files, todo.back, "watch", self._door
                ),
                f"{', '.join(todo.back)}: back in the balancer",
                pause,
            )
        if todo.leave:
            self._try(
                lambda: self._take_out(self._now(nginx, wanted), todo.leave, judged),
                f"{', '.join(todo.leave)}: out of the balancer",
                pause,
            )
        if self._uneven and not todo.back and not todo.leave:
            done = "nginx runs what is judged again"
            self._try(lambda: self._level(nginx, wanted), done, pause)

    def _now(self, nginx: Nginx, wanted: Wanted) -> Nginx:
        return as_on_disk(nginx, wanted.configuration, self._files)

    def _level(self, nginx: Nginx, wanted: Wanted) -> None:
        level(self._now(nginx, wanted), self._files, self._door)

    def _take_out(
        self, nginx: Nginx, names: tuple[str, ...], judged: Mapping[str, Judgement]
    ) -> None:
        """All in one reload, each with its own reason."""
        *first, last = names
        for name in first:
            hold_quietly(self._files, [name], "watch", reason_of(judged[name]))
        take_out(nginx, self._files, [last], "watch", reason_of(judged[last]), self._door)

    def _try(self, switch: Callable[[], object], done: str, pause: float) -> None:
        """One switch; an error is said when it is a new one, and level() is due after a pause."""
        try:
            switch()
        except (ProvisionError, OSError) as error:
            self._uneven = True
            self._again_at = time.monotonic() + pause
            if str(error) != self._last_error:
                self._last_error = str(error)
                self._say(f"nginx could not be switched, it is tried again: {error}")
        else:
            self._uneven = False
            self._last_error = ""
            if done:
                self._say(done)

    def _tell_kept(self, kept: tuple[str, ...], judged: Mapping[str, Judgement]) -> None:
        for name in kept:
            if name not in self.kept:
                why = reason_of(judged[name])
                self._say(f"{name}: stays in the balancer as the last of a route: {why}")
        self.kept = kept


def reason_of(judged: Judgement) -> str:
    """Why somebody is out, in the words of the last look."""
    said = judged.last.why if judged.last else "was out when the watch was started"
    return " ".join(said.split())[:_LONGEST_REASON]
