"""The balancer against a real nginx: instances leave and come back, and nobody loses a request."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provision.host.balancer import prove
from provision.host.balancer.door import workers_of
from provision.host.balancer.upstreams import (
    Holder,
    answer_line,
    bring_in,
    drop_holds,
    hold_quietly,
    load_holds,
    mark_of,
    take_out,
)

from .balancer_bed import BODY, streaming, wait_until
from .balancer_pair import Pair, pair
from .nginx_bed import NGINX, ask

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")
ROOT = Path(__file__).parents[2]


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
