"""What proves that nginx serves what is on disk: its workers, its marks, its ports."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from provision.host.balancer import prove
from provision.host.balancer.door import workers_of
from provision.host.balancer.loaded import not_loaded
from provision.host.balancer.upstreams import (
    answer_line,
    bring_in,
    drop_holds,
    hold_quietly,
    level,
    load_holds,
    mark_of,
    take_out,
)
from provision.host.errors import ProvisionError

from .balancer_bed import BODY, proxy, streaming, wait_until
from .balancer_pair import pair
from .nginx_bed import NGINX, Backend, ask, backends, check, free_ports
from .nginx_door import HangUp

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")


def test_a_switch_under_way_is_no_other_configuration(tmp_path: Path) -> None:
    """Verify, status and apply look while the watch is at work; what somebody wrote is told."""
    with pair(tmp_path) as both:
        nginx, files = both.bed.nginx, both.bed.files
        stopped = threading.Event()

        def switch() -> None:
            while not stopped.is_set():
                both.take_out(who="watch")
                stopped.wait(0.5)
                both.bring_in(who="watch")
                stopped.wait(0.5)

        thread = threading.Thread(target=switch)
        thread.start()
        try:
            seen = {not_loaded(nginx, files) for _ in range(30)}
        finally:
            stopped.set()
            thread.join(60)
        assert seen == {None}
        mine = files.at("/etc/nginx/provision/mine.conf")
        mine.write_text("# mine\n")
        assert "its workers run another configuration" in str(not_loaded(nginx, files))
        mine.unlink()
        assert not_loaded(nginx, files) is None


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
        assert _rule_of(caught.value) == "nginx-not-ours"
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
        assert _rule_of(caught.value) == "nginx-not-ours"
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
            assert _rule_of(caught.value) == "nginx-not-ours"
            assert took < prove.PROOF_SECONDS / 2, "nginx said so at once"
            assert bed.line("chat.0") == bed.server("chat.0").up
            bed.files.write(bed.nginx.configuration, good)
            drop_holds(bed.files, "apply")
            both.level()
    assert load.failed == []
    assert load.done > 0


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


def _rule_of(error: ProvisionError) -> str:
    return error.diagnostics[0].rule
