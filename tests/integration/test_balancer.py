"""The balancer against a real nginx: instances leave and come back, and nobody loses a request."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from provision.host.balancer import prove
from provision.host.balancer.door import workers_of
from provision.host.balancer.drain import wait_idle
from provision.host.balancer.upstreams import (
    Holder,
    answer_line,
    bring_in,
    drop_holds,
    hold_quietly,
    level,
    load_holds,
    mark_of,
    take_out,
)
from provision.host.bundle import Drain, Expectation, Instance, InstanceRuntime
from provision.host.errors import ProvisionError
from provision.host.facts import Placed

from .balancer_bed import BODY, Bed, proxy, streaming, wait_until
from .nginx_bed import NGINX, Backend, ask, backends, check, free_ports
from .nginx_door import HangUp

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")
ROOT = Path(__file__).parents[2]


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


def _asked_more_than(stub: Backend, requests: int) -> bool:
    return len(stub.seen) > requests


def rule_of(error: ProvisionError) -> str:
    return error.diagnostics[0].rule


def test_nothing_is_lost_while_an_instance_is_out(tmp_path: Path) -> None:
    """Taken out, drained and brought back three times while ten clients stream."""
    with pair(tmp_path, "stream") as both:
        with streaming(both.bed.listen, 10) as load:
            for _ in range(3):
                wait_until(lambda: both.zero.open_streams > 0)
                began = time.monotonic()
                both.take_out()
                out = time.monotonic() - began
                at_once = len(both.zero.seen)
                idle = both.drained()
                assert both.zero.open_streams == 0, "called idle with a stream open"
                after = len(both.zero.seen)
                time.sleep(1.5)
                assert len(both.zero.seen) == after, "a request came to an idle instance"
                print(f"\nout {out:.2f} s, idle {idle:.2f} s later, {after - at_once} came late")
                both.bring_in()
                at = len(both.zero.seen)
                wait_until(partial(_asked_more_than, both.zero, at))
        print(f"{load.done} streams, {len(load.failed)} failed")
    assert load.failed == []
    assert load.done > 50


def test_who_asks_after_take_out_returned_never_meets_the_instance(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        assert min(both.shares()) > 0
        for _ in range(5):
            both.take_out()
            assert both.shares(20)[0] == 0
            both.bring_in()
            assert both.shares(20)[0] > 0


def test_all_may_be_out_at_once(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        bed = both.bed
        take_out(bed.nginx, bed.files, ["chat.0", "chat.1"], "watch", "x", bed.door)
        assert ask(bed.listen, "/v1/completions", BODY).status == 503
        bring_in(bed.nginx, bed.files, ["chat.0", "chat.1"], "watch", bed.door)
        assert min(both.shares()) > 0


def test_neither_holder_brings_back_what_the_other_one_holds(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        both.take_out("no token", "watch")
        reloads = len(both.bed.door.reloads)
        both.take_out("is restarted")
        assert len(both.bed.door.reloads) == reloads, "it was out already"
        both.bring_in()
        assert both.shares()[0] == 0
        assert len(both.bed.door.reloads) == reloads
        both.bring_in("watch")
        assert both.shares()[0] > 0


def test_a_level_nginx_is_not_reloaded(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        reloads = len(both.bed.door.reloads)
        assert [both.level() for _ in range(3)] == [False] * 3
        assert len(both.bed.door.reloads) == reloads


@pytest.mark.parametrize("what", ["line", "mark"])
def test_a_line_or_mark_of_a_killed_run_is_mended(tmp_path: Path, what: str) -> None:
    with pair(tmp_path) as both:
        bed, server = both.bed, both.bed.server("chat.0")
        if what == "line":
            bed.files.write(server.path, server.down.encode())
        else:
            bed.files.write(bed.answer, answer_line("ab" * 32).encode())
        assert both.level() is True
        assert both.shares()[0] > 0


def test_a_new_entry_file_is_loaded_by_level(tmp_path: Path) -> None:
    """What the transaction does: files first, then level()."""
    with pair(tmp_path) as both:
        bed, files = both.bed, both.bed.files
        entry = (files.read(bed.nginx.configuration) or b"").replace(
            b"    location ", b"    location = /new { return 204; }\n    location ", 1
        )
        files.write(bed.nginx.configuration, entry)
        assert both.level() is True
        assert ask(both.bed.listen, "/new").status == 204


def test_an_instance_is_asked_where_it_still_listens(tmp_path: Path) -> None:
    """Its line names a port on which nobody listens yet."""
    listen, port, old, other = free_ports(4)
    there, second = Backend(old), Backend(other)
    with backends(there, second), proxy(tmp_path, listen, port, other) as bed:
        hold_quietly(bed.files, [], "apply", "", {"chat.0": old})
        level(bed.nginx, bed.files, bed.door)
        for _ in range(8):
            assert ask(listen, "/v1/completions", BODY).status == 200
        assert len(there.seen) > 0
        take_out(bed.nginx, bed.files, ["chat.0"], "apply", "is restarted", bed.door)
        moved = Backend(port)
        with backends(moved):
            bring_in(bed.nginx, bed.files, ["chat.0"], "apply", bed.door)
            for _ in range(8):
                assert ask(listen, "/v1/completions", BODY).status == 200
        assert len(moved.seen) > 0


def test_old_workers_that_still_accept_are_noticed(tmp_path: Path) -> None:
    """They are stopped before the reload, so nginx cannot make them leave: new ones answer
    already with the new mark, and take_out must not return."""
    with pair(tmp_path) as both:
        old = [one.pid for one in workers_of(both.bed.door.pid)]

        def freeze() -> None:
            for pid in old:
                os.kill(pid, signal.SIGSTOP)

        both.bed.door.before = freeze
        done = threading.Event()

        def work() -> None:
            both.take_out()
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            wait_until(lambda: len(workers_of(both.bed.door.pid)) > len(old))
            mark = mark_of(both.bed.nginx, both.bed.files)
            wait_until(lambda: prove.serves(both.bed.nginx, mark))
            assert not done.wait(1.5), "returned while old workers may still take requests"
        finally:
            for pid in old:
                os.kill(pid, signal.SIGCONT)
        thread.join(30)
        assert done.is_set()


class Deaf(HangUp):
    """nginx as it is when it keeps its old configuration in silence."""

    def reload(self) -> None:
        pass


def test_workers_with_another_mark_are_no_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove, "PROOF_SECONDS", 1.5)
    with pair(tmp_path) as both:
        bed = both.bed
        before = bed.line("chat.0"), bed.files.read(bed.answer)
        deaf = Deaf(bed.door.pid, bed.door.log)
        with pytest.raises(ProvisionError) as caught:
            take_out(bed.nginx, bed.files, ["chat.0"], "watch", "no token", deaf)
        assert rule_of(caught.value) == "nginx-not-ours"
        assert (bed.line("chat.0"), bed.files.read(bed.answer)) == before
        assert [one.who for one in load_holds(bed.files).holding("chat.0")] == ["watch"]
        assert both.level() is True, "the hold was noted, the next one makes it so"
        assert both.shares()[0] == 0


def test_a_port_that_somebody_else_holds_is_found_and_said(tmp_path: Path) -> None:
    """`nginx -t` is content with it, and so is `nginx -s reload`."""
    with pair(tmp_path) as both, socket.create_server(("127.0.0.1", 0)) as taken:
        bed, port = both.bed, taken.getsockname()[1]
        good = bed.files.read(bed.nginx.configuration) or b""
        bed.files.write(
            bed.nginx.configuration,
            good.replace(b"    listen", b"    listen 127.0.0.1:%d;\n    listen" % port, 1),
        )
        assert check(bed.files.root / "nginx.conf").returncode == 0
        with pytest.raises(ProvisionError, match="could not bind") as caught:
            both.take_out()
        assert rule_of(caught.value) == "nginx-not-ours"
        assert bed.line("chat.0") == bed.server("chat.0").up
        assert both.shares()[0] > 0, "the old workers go on as they were"
        bed.files.write(bed.nginx.configuration, good)
        assert both.level() is True
        assert both.shares()[0] == 0


def test_a_listener_of_another_process_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove, "PROOF_SECONDS", 1.5)
    with pair(tmp_path) as both, socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        assert prove.held_by_nginx(both.bed.nginx.listens[0], both.bed.door)
        assert not prove.held_by_nginx(listen, both.bed.door)


def test_a_configuration_that_nginx_refuses_changes_nothing(tmp_path: Path) -> None:
    with pair(tmp_path, "stream") as both:
        bed = both.bed
        good = bed.files.read(bed.nginx.configuration) or b""
        with streaming(bed.listen, 4) as load:
            bed.files.write(bed.nginx.configuration, good + b"no_such_directive on;\n")
            began = time.monotonic()
            with pytest.raises(ProvisionError, match="no_such_directive") as caught:
                both.take_out()
            took = time.monotonic() - began
            assert rule_of(caught.value) == "nginx-not-ours"
            assert took < prove.PROOF_SECONDS / 2, "nginx said so at once"
            assert bed.line("chat.0") == bed.server("chat.0").up
            bed.files.write(bed.nginx.configuration, good)
            drop_holds(bed.files, "apply")
            both.level()
    assert load.failed == []
    assert load.done > 0


# Holds noted, switch begun, line, answer, holds settled: each looks for an old temporary file and
# renames a new one. And the signal.
CHANGES = 5 * 2 + 1


@pytest.mark.parametrize(
    ("verb", "who"), [("take_out", "apply"), ("take_out", "watch"), ("bring_in", "apply")]
)
def test_killed_at_each_step_it_is_mended_by_the_next_level(
    tmp_path: Path, verb: str, who: str
) -> None:
    with pair(tmp_path) as both:
        made = 0
        for kill_at in (*range(1, CHANGES + 1), 0):
            _level_in_or_out(both, out=verb == "bring_in", who=who)
            made, code = _child(both, kill_at, verb, who)
            assert code == (-signal.SIGKILL if kill_at else 0)
            # From here on nobody holds the lock, and the next one makes all of it agree.
            both.level()
            held = {one.instance for one in load_holds(both.bed.files).held}
            server = both.bed.server("chat.0")
            assert both.bed.line("chat.0") == (server.down if held else server.up)
            mark = mark_of(both.bed.nginx, both.bed.files)
            assert both.bed.files.read(both.bed.answer) == answer_line(mark).encode()
            assert prove.serves(both.bed.nginx, mark)
            assert (both.shares()[0] == 0) == bool(held)
            if verb == "take_out" and who == "apply":
                assert not held, "the hold of a dead apply still counts"
            assert not list(tmp_path.rglob(".provision-new-*")), "half-written files are left"
        assert made == CHANGES, "a step was added: it has to be killed at too"


def _level_in_or_out(both: Pair, *, out: bool, who: str) -> None:
    """chat.0 in, or held by this process."""
    drop_holds(both.bed.files, "watch")
    drop_holds(both.bed.files, "apply")
    if out:
        hold_quietly(both.bed.files, ["chat.0"], "watch" if who == "watch" else "apply", "test")
    both.level()


def _child(both: Pair, kill_at: int, verb: str, who: str) -> tuple[int, int]:
    """Changes that it made (0 when killed) and its exit code."""
    bed = both.bed
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.integration.balancer_child", str(bed.files.root)),
            *(str(bed.door.pid), str(kill_at), verb, who),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode in (0, -signal.SIGKILL), ran.stderr
    return int(ran.stdout or 0), ran.returncode


def test_two_at_once_wait_for_each_other(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        bed = both.bed

        def work(number: int) -> None:
            name = f"chat.{number % 2}"
            holder: Holder = "watch" if number % 3 else "apply"
            take_out(bed.nginx, bed.files, [name], holder, "x", bed.door)
            bring_in(bed.nginx, bed.files, [name], holder, bed.door)

        with ThreadPoolExecutor(4) as pool:
            for one in [pool.submit(work, number) for number in range(8)]:
                one.result()
        assert load_holds(bed.files).held == ()
        assert both.level() is False
        assert min(both.shares()) > 0


def test_a_request_that_is_still_being_read_is_waited_for(tmp_path: Path) -> None:
    """An old worker has the head of a POST and not its body: it may pass it on to anybody."""
    with pair(tmp_path) as both:
        take_out(
            both.bed.nginx,
            both.bed.files,
            ["chat.1"],
            "watch",
            "only chat.0 is left",
            both.bed.door,
        )
        with socket.create_connection(("127.0.0.1", both.bed.listen)) as client:
            client.sendall(
                b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{"
            )
            time.sleep(0.3)
            both.take_out()
            before = len(both.zero.seen)
            threading.Timer(2.0, client.sendall, (b"}",)).start()
            waited = both.drained()
            assert len(both.zero.seen) == before + 1, "it came after the instance was called idle"
            assert 2 <= waited < 10
            assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_who_connects_and_never_asks_holds_up_nobody_for_long(tmp_path: Path) -> None:
    with pair(tmp_path) as both, socket.create_connection(("127.0.0.1", both.bed.listen)):
        time.sleep(0.3)
        both.take_out()
        assert both.drained() < 15


def test_kept_connections_of_nginx_do_not_hold_it_up(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        assert min(both.shares(20)) > 0
        both.take_out()
        assert both.drained() < 4


def test_patience_ends(tmp_path: Path) -> None:
    with pair(tmp_path, "stream") as both, ThreadPoolExecutor(1) as pool:
        take_out(both.bed.nginx, both.bed.files, ["chat.1"], "watch", "x", both.bed.door)
        both.zero.mode, both.zero.delay_seconds = "hold", 6.0
        asked = pool.submit(ask, both.bed.listen, "/v1/completions", BODY)
        wait_until(lambda: both.zero.open_streams == 1)
        both.take_out()
        found = wait_idle(instance(1), both.bed.files, both.zero.port, door=both.bed.door)
        assert (found.idle, found.left) == (False, "1 request through nginx")
        assert both.drained() > 1
        assert asked.result().status == 200


def test_twenty_reloads_under_load_cut_nothing(tmp_path: Path) -> None:
    """Each with another configuration, proven to be the one that answers; streams last 1 s."""
    with pair(tmp_path, "stream") as both:
        bed = both.bed
        entry = bed.files.read(bed.nginx.configuration) or b""
        with streaming(bed.listen, 12) as load:
            wait_until(lambda: both.zero.open_streams + both.one.open_streams > 6)
            for number in range(20):
                content = entry + b"# version %d\n" % number
                bed.files.write(bed.nginx.configuration, content)
                assert both.level() is True
        print(f"\n20 reloads, {load.done} streams, {len(load.failed)} failed")
        assert load.failed == []
        assert load.done > 40
        assert len(bed.door.reloads) == 21
        wait_until(lambda: all(not one.leaving for one in workers_of(bed.door.pid)))


def test_where_nginx_does_not_run_the_files_are_written(tmp_path: Path) -> None:
    """It reads them when it starts."""
    listen, *ports = free_ports(3)
    with proxy(tmp_path, listen, *ports) as bed:
        pass
    assert not bed.door.running()
    take_out(bed.nginx, bed.files, ["chat.0"], "watch", "no token", bed.door)
    assert bed.line("chat.0") == bed.server("chat.0").down
    assert bed.files.read(bed.answer) == answer_line(mark_of(bed.nginx, bed.files)).encode()
    assert len(bed.door.reloads) == 1
