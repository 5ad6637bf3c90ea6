"""The real watch loop over a real nginx and stub engines that die, hang, are busy and come back."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provision.host.balancer.upstreams import bring_in, hold_quietly, load_holds, take_out
from provision.host.bundle import Artifact
from provision.host.files import Files
from provision.host.watch.record import load_watch
from provision.host.watch.watch import Watch

from .balancer_bed import Bed, proxy
from .nginx_bed import NGINX, ask, free_ports
from .watch_bed import (
    QUICK,
    Engine,
    engines,
    health,
    instance_at,
    process,
    save,
    stays,
    watching,
    within,
)

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")
BODY = b'{"model": "m", "prompt": "hi"}'
# The bound of the settings, and what a loaded machine may take to reload nginx.
IN_TIME = QUICK.detection_seconds + 15


@dataclasses.dataclass
class Scene:
    bed: Bed
    engines: list[Engine]
    watch: Watch

    @property
    def files(self) -> Files:
        return self.bed.files

    def is_out(self, number: int) -> bool:
        return "down" in self.bed.line(f"chat.{number}")

    def serves(self) -> set[int]:
        """Ports that answer many requests, all of which must get through."""
        answers = [ask(self.bed.listen, "/v1/completions", BODY) for _ in range(12)]
        assert {one.status for one in answers} == {200}
        return {int(str(one.json()["port"])) for one in answers}

    def state_of(self, number: int) -> str:
        record = load_watch(self.files)
        found = record.instances.get(f"chat.{number}") if record else None
        return found.state if found else ""


@contextlib.contextmanager
def scene(folder: Path, members: int = 2) -> Iterator[Scene]:
    listen, *ports = free_ports(members + 1)
    made = [Engine(port) for port in ports]
    with engines(*made), proxy(folder, listen, *ports, workers=2) as bed:
        save(bed.files, bed.nginx, *(instance_at(f"chat.{n}", p) for n, p in enumerate(ports)))
        with watching(bed.files, bed.door) as one:
            within(20, lambda: health(bed.files)[0] == "ok")
            yield Scene(bed, made, one)


def test_a_dead_one_goes_and_comes_back(tmp_path: Path) -> None:
    with scene(tmp_path) as now:
        now.engines[0].stop()
        took = within(IN_TIME, lambda: now.is_out(0))
        print(f"\ndead: out after {took:.1f} s, stated {QUICK.detection_seconds:.1f} s")
        within(20, lambda: now.state_of(0) == "out")
        within(20, lambda: health(now.files)[1]["status"] == "degraded")
        assert health(now.files, "chat")[0] == "ok"
        assert now.serves() == {now.engines[1].port}
        (held,) = load_holds(now.files).holding("chat.0")
        assert held.who == "watch"
        assert "refused" in held.why
        now.engines[0].start()
        within(20, lambda: not now.is_out(0))
        within(20, lambda: health(now.files)[1]["status"] == "ok")
        assert now.serves() == {one.port for one in now.engines}
        assert load_holds(now.files).held == ()


def test_a_dead_one_goes_while_an_apply_moves_the_proxy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new configuration is in place, and not committed yet: nobody answers where he did."""
    (other,) = free_ports(1)
    with scene(tmp_path) as now:
        nginx, files = now.bed.nginx, now.files
        text = (files.read(nginx.configuration) or b"").decode()
        instances = [instance_at(f"chat.{n}", one.port) for n, one in enumerate(now.engines)]
        save(files, nginx, *instances, artifacts=(Artifact(nginx.configuration, text),))
        moved = text.replace(f"127.0.0.1:{now.bed.listen}", f"127.0.0.1:{other}")
        assert moved != text
        files.write(nginx.configuration, moved.encode())
        now.bed.door.reload()
        now.engines[0].stop()
        within(IN_TIME, lambda: now.is_out(0))
        within(IN_TIME, lambda: now.state_of(0) == "out")
        assert "could not be switched" not in capsys.readouterr().err
        now.engines[0].start()
        within(20, lambda: not now.is_out(0))
        assert ask(other, "/v1/completions", BODY).status == 200


def test_a_configuration_that_cannot_be_read_does_not_end_the_watch(tmp_path: Path) -> None:
    with scene(tmp_path) as now:
        nginx, files = now.bed.nginx, now.files
        text = (files.read(nginx.configuration) or b"").decode()
        instances = [instance_at(f"chat.{n}", one.port) for n, one in enumerate(now.engines)]
        save(files, nginx, *instances, artifacts=(Artifact(nginx.configuration, text),))
        path = files.at(nginx.configuration)
        path.unlink()
        path.symlink_to(path)  # ELOOP
        now.engines[0].stop()
        within(IN_TIME, lambda: now.state_of(0) == "out")
        assert not now.is_out(0), "nothing can be switched"
        path.unlink()
        path.write_text(text)
        within(IN_TIME, lambda: now.is_out(0))


@pytest.mark.parametrize("mode", ["hangs", "fails", "nonsense"])
def test_one_that_gives_no_token_goes_and_comes_back(tmp_path: Path, mode: str) -> None:
    with scene(tmp_path) as now:
        now.engines[1].mode = mode  # type: ignore[assignment]  # one of Mode, by the parameters
        took = within(IN_TIME, lambda: now.is_out(1))
        print(f"\n{mode}: out after {took:.1f} s, stated {QUICK.detection_seconds:.1f} s")
        within(20, lambda: now.state_of(1) == "out")
        assert now.serves() == {now.engines[0].port}
        now.engines[1].mode = "answer"
        within(20, lambda: not now.is_out(1))


@pytest.mark.parametrize("mode", ["busy", "works", "locked"])
def test_a_busy_one_stays(tmp_path: Path, mode: str) -> None:
    """It says that it has too much to do, or its counters grow while no token comes."""
    with scene(tmp_path) as now:
        asked = now.engines[0].asked
        reloads = len(now.bed.door.reloads)
        now.engines[0].mode = mode  # type: ignore[assignment]  # one of Mode, by the parameters
        counted = now.engines[0].counted
        stays(3 * QUICK.detection_seconds, lambda: not now.is_out(0))
        assert now.engines[0].counted > counted + 4, "it was not looked at"
        if mode == "works":
            assert now.engines[0].asked <= asked + 2, "asked for tokens although it works"
        assert len(now.bed.door.reloads) == reloads
        assert health(now.files)[1]["status"] == "ok"
        assert now.state_of(0) == "in"


def test_the_last_one_stays_and_health_says_so(tmp_path: Path) -> None:
    with scene(tmp_path) as now:
        for one in now.engines:
            one.mode = "hangs"
        within(IN_TIME, lambda: health(now.files)[0] == "unavailable")
        within(20, lambda: now.is_out(0) != now.is_out(1))
        stays(2 * QUICK.detection_seconds, lambda: not (now.is_out(0) and now.is_out(1)))
        kept = 1 if now.is_out(0) else 0
        within(20, lambda: now.state_of(kept) == "kept")
        # Who was taken out is back first; then the other one may go.
        now.engines[1 - kept].mode = "answer"
        within(20, lambda: not now.is_out(1 - kept) and now.is_out(kept))
        within(20, lambda: health(now.files)[1]["status"] == "degraded")
        assert now.serves() == {now.engines[1 - kept].port}


def test_one_that_flaps_stays_out(tmp_path: Path) -> None:
    """A single token between two failures does not bring it back."""
    with scene(tmp_path) as now:
        engine = now.engines[0]
        engine.mode = "fails"
        within(IN_TIME, lambda: now.state_of(0) == "out")
        reloads = len(now.bed.door.reloads)
        for _ in range(4):
            engine.mode = "answer"
            _more(lambda: engine.given, 1)
            engine.mode = "fails"
            _more(lambda: engine.asked, 2)
            assert now.is_out(0)
        assert len(now.bed.door.reloads) == reloads


def test_what_an_apply_holds_is_not_judged(tmp_path: Path) -> None:
    with scene(tmp_path) as now:
        files, nginx, door = now.files, now.bed.nginx, now.bed.door
        take_out(nginx, files, ["chat.0"], "apply", "is restarted", door)
        now.engines[0].stop()
        stays(2 * QUICK.detection_seconds, lambda: _holders(files) == ["apply"])
        within(20, lambda: now.state_of(0) == "waiting")
        assert health(files)[1]["status"] == "degraded"
        now.engines[0].start()
        bring_in(nginx, files, ["chat.0"], "apply", door)
        stays(2 * QUICK.detection_seconds, lambda: _holders(files) == [])
        assert now.serves() == {one.port for one in now.engines}


def test_a_new_state_is_taken_up(tmp_path: Path) -> None:
    """The third one was not watched; after the commit it is, and the first no longer."""
    listen, *ports = free_ports(4)
    made = [Engine(port) for port in ports]
    with engines(*made), proxy(tmp_path, listen, *ports, workers=2) as bed:
        members = [instance_at(f"chat.{n}", port) for n, port in enumerate(ports)]
        save(bed.files, bed.nginx, *members[:2])
        with watching(bed.files, bed.door):
            within(20, lambda: made[0].asked > 1)
            assert made[2].asked == 0
            save(bed.files, bed.nginx, *members[1:])
            within(20, lambda: made[2].asked > 1)
            asked = made[0].asked
            made[2].stop()
            within(IN_TIME, lambda: "down" in bed.line("chat.2"))
            assert made[0].asked <= asked + 1


def test_what_was_out_before_the_watch_was_restarted_needs_tokens(tmp_path: Path) -> None:
    listen, *ports = free_ports(3)
    made = [Engine(port) for port in ports]
    with engines(*made), proxy(tmp_path, listen, *ports, workers=2) as bed:
        save(bed.files, bed.nginx, *(instance_at(f"chat.{n}", p) for n, p in enumerate(ports)))
        take_out(bed.nginx, bed.files, ["chat.0"], "watch", "an earlier one", bed.door)
        made[0].mode = "hangs"
        with watching(bed.files, bed.door):
            within(20, lambda: health(bed.files)[1].get("status") == "degraded")
            stays(QUICK.detection_seconds, lambda: "down" in bed.line("chat.0"))
            made[0].mode = "answer"
            within(20, lambda: "down" not in bed.line("chat.0"))


def test_an_nginx_that_refuses_does_not_end_the_watch(tmp_path: Path) -> None:
    """A stranger's file is broken when an instance dies; once it is mended the switch is made."""
    with scene(tmp_path) as now:
        entry = tmp_path / "etc/nginx/conf.d/stranger.conf"
        entry.write_text("no_such_directive;\n")
        now.engines[0].stop()
        within(40, lambda: _holders(now.files) == ["watch"])
        within(40, lambda: health(now.files)[1]["status"] == "degraded")
        entry.unlink()
        within(60, lambda: now.is_out(0))
        within(20, lambda: now.serves() == {now.engines[1].port})


def test_an_instance_answers_at_its_noted_port(tmp_path: Path) -> None:
    """In the middle of an apply: its line and runtime name the new port, it is on the old one."""
    listen, old, new = free_ports(3)
    engine = Engine(old)
    with engines(engine), proxy(tmp_path, listen, new, workers=1) as bed:
        save(bed.files, bed.nginx, instance_at("chat.0", new))
        hold_quietly(bed.files, [], "apply", "", {"chat.0": old})
        with watching(bed.files, bed.door):
            within(20, lambda: engine.asked > 3)
            assert health(bed.files)[0] == "ok"


def test_a_stopped_process_is_hung_and_a_killed_one_dead(tmp_path: Path) -> None:
    """Real processes: of a stopped one the kernel still takes connections."""
    listen, *ports = free_ports(4)
    nobody = Engine(ports[2])
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(process(port)) for port in ports[:2])
        stack.enter_context(engines(nobody))
        bed = stack.enter_context(proxy(tmp_path, listen, *ports, workers=2))
        save(bed.files, bed.nginx, *(instance_at(f"chat.{n}", p) for n, p in enumerate(ports)))
        stack.enter_context(watching(bed.files, bed.door))
        within(30, lambda: health(bed.files)[1].get("status") == "ok")
        os.kill(first, signal.SIGSTOP)
        within(IN_TIME, lambda: "down" in bed.line("chat.0"))
        assert "no token within" in load_holds(bed.files).holding("chat.0")[0].why
        os.kill(second, signal.SIGKILL)
        within(IN_TIME, lambda: "down" in bed.line("chat.1"))
        os.kill(first, signal.SIGCONT)
        within(20, lambda: "down" not in bed.line("chat.0"))
        assert "down" in bed.line("chat.1")


def test_an_answer_that_comes_drop_by_drop_is_none(tmp_path: Path) -> None:
    """No time-out of a socket ever strikes; the rounds of the other one go on meanwhile."""
    with scene(tmp_path) as now:
        now.engines[0].mode = "drips"
        asked = now.engines[1].asked
        within(IN_TIME + 5, lambda: now.is_out(0))
        assert "did not end" in load_holds(now.files).holding("chat.0")[0].why
        assert now.engines[1].asked > asked + 5
        assert not now.is_out(1)


def _more(count: Callable[[], int], by: int) -> None:
    """Wait until a count is higher by so much."""
    before = count()
    within(20, lambda: count() >= before + by)


def _holders(files: Files) -> list[str]:
    return [one.who for one in load_holds(files).held]
