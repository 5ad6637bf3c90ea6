"""Server lines, holds and the mark, on a scratch root where no nginx runs."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from provision.host.balancer import holds as holds_module
from provision.host.balancer.door import parent_and_start, started_at, workers_of
from provision.host.balancer.holds import (
    Held,
    Holds,
    counts,
    is_switching,
    save_holds,
    switching,
)
from provision.host.balancer.upstreams import (
    HOLDS,
    LOCK,
    UNSET,
    accepted_forms,
    answer_line,
    bring_in,
    drop_holds,
    hold_quietly,
    is_own_form,
    level,
    lines,
    load_holds,
    mark_of,
    take_out,
)
from provision.host.bundle import Nginx, UpstreamServer
from provision.host.errors import Exit, ProvisionError
from provision.host.files import Files

CONF = "/etc/nginx/conf.d/provision.conf"
ANSWER = "/etc/nginx/provision/answer.conf"


def line_path(instance: str, route: str = "chat") -> str:
    return f"/etc/nginx/provision/upstreams/{route}/{instance}.conf"


def server(instance: str, port: int, route: str = "chat") -> UpstreamServer:
    up = f"server 127.0.0.1:{port} weight=3 max_fails=0;\n"
    return UpstreamServer(
        route, instance, line_path(instance, route), up, up.replace(";", " down;")
    )


NGINX = Nginx(CONF, servers=(server("chat.0", 8000), server("chat.1", 8001)), answer=ANSWER)
UP = {one.path: one.up for one in NGINX.servers}
DOWN = {one.path: one.down for one in NGINX.servers}
ZERO, ONE = line_path("chat.0"), line_path("chat.1")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A host on which NGINX is applied."""
    made = Files(tmp_path)
    made.write(CONF, b"# entry\n")
    made.write(ANSWER, answer_line(UNSET).encode())
    for path, content in UP.items():
        made.write(path, content.encode())
    return made


def text(files: Files, path: str) -> str:
    return (files.read(path) or b"").decode()


def test_a_line_is_down_while_anybody_holds_its_instance(files: Files) -> None:
    take_out(NGINX, files, ["chat.0"], "apply", "is restarted")
    take_out(NGINX, files, ["chat.0"], "watch", "no token")
    assert (text(files, ZERO), text(files, ONE)) == (DOWN[ZERO], UP[ONE])
    assert [one.who for one in load_holds(files).holding("chat.0")] == ["apply", "watch"]
    bring_in(NGINX, files, ["chat.0"], "apply")
    assert text(files, ZERO) == DOWN[ZERO]
    bring_in(NGINX, files, ["chat.0"], "watch")
    assert text(files, ZERO) == UP[ZERO]
    assert load_holds(files).held == ()


def test_one_instance_may_have_lines_in_several_routes(tmp_path: Path) -> None:
    nginx = dataclasses.replace(
        NGINX, servers=(server("chat.0", 8000), server("chat.0", 8000, "root"))
    )
    files = Files(tmp_path)
    files.write(CONF, b"# entry\n")
    for one in nginx.servers:
        files.write(one.path, one.up.encode())
    take_out(nginx, files, ["chat.0"], "watch", "no token")
    assert [text(files, one.path) for one in nginx.servers] == [one.down for one in nginx.servers]


def test_a_noted_port_stands_in_both_forms_until_apply_brings_it_in(files: Files) -> None:
    hold_quietly(files, ["chat.0"], "apply", "starts", {"chat.0": 9000})
    holds = load_holds(files)
    assert lines(NGINX, holds) == {
        ZERO: "server 127.0.0.1:9000 weight=3 max_fails=0 down;\n",
        ONE: UP[ONE],
    }
    assert text(files, ZERO) == UP[ZERO], "hold_quietly writes no line"
    level(NGINX, files)
    bring_in(NGINX, files, ["chat.0"], "watch")
    assert ":9000 " in text(files, ZERO), "watch does not end the notes of apply"
    bring_in(NGINX, files, ["chat.0"], "apply")
    assert text(files, ZERO) == UP[ZERO]
    assert load_holds(files) == Holds(1)


def test_dropped_notes_are_remembered_until_the_lines_follow(files: Files) -> None:
    """Between drop_holds and level a run may be killed; the line must not become a stranger's."""
    hold_quietly(files, [], "apply", "", {"chat.0": 9000})
    level(NGINX, files)
    drop_holds(files, "apply")
    assert ":9000 " in text(files, ZERO)
    level(NGINX, files)
    assert text(files, ZERO) == UP[ZERO]
    assert load_holds(files).past == {}


def test_only_the_number_of_the_port_is_replaced() -> None:
    tricky = dataclasses.replace(
        server("chat.0", 80),
        up="server 127.0.0.1:80 weight=80;\n",
        down="server 127.0.0.1:80 down;\n",
    )
    nginx = dataclasses.replace(NGINX, servers=(tricky,))
    assert lines(nginx, Holds(1, ports={"chat.0": 8080})) == {
        ZERO: "server 127.0.0.1:8080 weight=80;\n"
    }


def test_holds_of_an_apply_that_is_dead_do_not_count(files: Files) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from provision.host.files import Files\n"
        "from provision.host.balancer.upstreams import hold_quietly\n"
        "for who in ('apply', 'watch'):\n"
        "    hold_quietly(Files(Path(sys.argv[1])), ['chat.0'], who, 'x', {'chat.0': 9000})\n"
    )
    subprocess.run([sys.executable, "-c", code, str(files.root)], check=True)
    assert len(json.loads(text(files, HOLDS))["held"]) == 2
    found = load_holds(files)
    assert [one.who for one in found.held] == ["watch"]
    assert found.ports == {"chat.0": 9000}, "where an instance listens is true whoever noted it"


def test_a_pid_that_was_given_again_is_somebody_else() -> None:
    started = started_at(os.getpid())
    assert started is not None
    held = Held("chat.0", "apply", "x", 1.0, os.getpid(), started)
    assert counts(held)
    assert not counts(dataclasses.replace(held, started=started - 1))
    assert counts(dataclasses.replace(held, who="watch", started=started - 1))


def test_a_hold_that_is_made_again_stays_since_then(files: Files) -> None:
    hold_quietly(files, ["chat.0"], "watch", "no token")
    first = load_holds(files).held[0]
    hold_quietly(files, ["chat.0"], "watch", "still none")
    (again,) = load_holds(files).held
    assert (again.since, again.why) == (first.since, "still none")


def test_damaged_notes_count_as_none(files: Files) -> None:
    files.write(HOLDS, b'{"version": 99, "held": "all"}')
    found = load_holds(files)
    assert (found.held, found.unproven) == ((), True)
    files.write(ZERO, DOWN[ZERO].encode())
    level(NGINX, files)
    assert text(files, ZERO) == UP[ZERO]


@pytest.mark.parametrize(
    "strange",
    [
        "server 127.0.0.1:8000 weight=1 max_fails=0;\n",  # another bundle's
        "server 127.0.0.1:8005 weight=3 max_fails=0;\n",
        "server 10.0.0.9:8000;\n",
        "",
    ],
)
def test_a_line_that_is_not_ours_is_left_alone_and_told(files: Files, strange: str) -> None:
    files.write(ZERO, strange.encode())
    level(NGINX, files)
    assert text(files, ZERO) == strange
    with pytest.raises(ProvisionError) as caught:
        take_out(NGINX, files, ["chat.0"], "watch", "no token")
    assert caught.value.diagnostics[0].rule == "line-not-ours"
    assert text(files, ZERO) == strange


def test_a_line_that_is_gone_is_not_made(files: Files) -> None:
    """Files come and go in a transaction alone; watch may still have the bundle of before."""
    files.remove(ZERO)
    take_out(NGINX, files, ["chat.0"], "watch", "no token")
    bring_in(NGINX, files, ["chat.0"], "watch")
    assert files.look(ZERO) is None


def test_nothing_is_done_where_nothing_is_applied(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert level(NGINX, files) is False
    assert files.look(ANSWER) is None


def test_a_level_host_is_not_written(files: Files) -> None:
    level(NGINX, files)
    before = {path: files.at(path).stat().st_ino for path in (ZERO, ONE, ANSWER)}
    assert level(NGINX, files) is False
    assert {path: files.at(path).stat().st_ino for path in before} == before
    assert files.look(HOLDS) is None


def test_own_forms() -> None:
    def own(content: str, path: str = ZERO, holds: Holds | None = None) -> bool:
        return is_own_form(NGINX, path, content.encode(), holds)

    assert own(UP[ZERO])
    assert own(DOWN[ZERO])
    assert not own(UP[ONE])
    moved = UP[ZERO].replace("8000", "9000")
    assert not own(moved)
    assert own(moved, holds=Holds(1, ports={"chat.0": 9000}))
    assert own(moved, holds=Holds(1, past={"chat.0": 9000}))
    assert not own(moved, holds=Holds(1, ports={"chat.1": 9000}))
    assert own(answer_line("ab" * 32), ANSWER)
    assert not own('return 200 "hello\\n";\n', ANSWER)
    assert not own(answer_line("ab" * 32) + "deny all;\n", ANSWER)
    assert not own(UP[ZERO], "/etc/nginx/provision/upstreams/chat/other.conf")
    forms = accepted_forms(NGINX)
    assert forms == {
        ZERO: (UP[ZERO], DOWN[ZERO]),
        ONE: (UP[ONE], DOWN[ONE]),
        ANSWER: (answer_line(UNSET),),
    }
    assert all(is_own_form(NGINX, path, one.encode()) for path in forms for one in forms[path])


def test_the_mark_is_of_every_file_but_the_answer(files: Files) -> None:
    marks = [mark_of(NGINX, files)]
    files.write(ANSWER, answer_line("ab" * 32).encode())
    assert mark_of(NGINX, files) == marks[0]
    files.write(ZERO, DOWN[ZERO].encode())
    marks.append(mark_of(NGINX, files))
    files.write(CONF, b"# entry, changed\n")
    marks.append(mark_of(NGINX, files))
    files.write("/etc/nginx/provision/njs/model.js", b"x")
    marks.append(mark_of(NGINX, files))
    files.remove("/etc/nginx/provision/njs/model.js")
    files.write("/etc/nginx/provision/njs/model.jsx", b"")
    marks.append(mark_of(NGINX, files))
    assert len(set(marks)) == 5
    assert all(len(one) == 64 for one in marks)
    files.write("/etc/nginx/provision/.provision-new-1-x", b"half")
    assert mark_of(NGINX, files) == marks[-1]


def test_the_mark_shows_that_keys_were_written_and_nothing_of_them(tmp_path: Path) -> None:
    """Everybody may ask for the mark. Two hosts with other keys only differ by their inodes."""
    files = Files(tmp_path)
    files.write(CONF, b"# entry\n")
    keys = "/etc/nginx/provision/keys.map"
    files.write(keys, b"one", 0o600)
    first = mark_of(NGINX, files)
    status = files.at(keys).stat()
    files.at(keys).write_bytes(b"two")
    os.utime(files.at(keys), ns=(status.st_atime_ns, status.st_mtime_ns))
    assert mark_of(NGINX, files) == first, "the content must not be in it"
    files.write(keys, b"one", 0o600)
    assert mark_of(NGINX, files) != first, "a new file must be seen as loaded or not"


def test_a_lock_that_stays_taken_is_told(files: Files) -> None:
    path = files.at(LOCK)
    path.parent.mkdir(parents=True)
    with path.open("w") as taken:
        fcntl.flock(taken, fcntl.LOCK_EX)
        with pytest.raises(ProvisionError) as caught, switching(files, 0.2):
            pass
        assert caught.value.diagnostics[0].rule == "balancer-locked"
        assert caught.value.exit_code == Exit.LOCKED
    with switching(files, 0.2):
        pass


def test_a_lock_whose_file_was_taken_away_holds_nobody_up(files: Files) -> None:
    with switching(files, 0.2):
        files.remove(LOCK)
        with switching(files, 0.2):
            assert files.look(LOCK) is not None


def test_drop_holds_leaves_those_of_others(files: Files) -> None:
    drop_holds(files, "apply")
    assert files.look(HOLDS) is None, "nothing was held, nothing is written"
    hold_quietly(files, ["chat.0", "chat.1"], "apply", "x", {"chat.1": 9001})
    hold_quietly(files, ["chat.0"], "watch", "y")
    drop_holds(files, "apply")
    found = load_holds(files)
    assert [(one.instance, one.who) for one in found.held] == [("chat.0", "watch")]
    assert found.ports == {}


def test_notes_survive_a_round_trip(files: Files) -> None:
    holds = Holds(1, (Held("a", "watch", "y", 1.5, 7, None),), {"a": 1}, {"b": 2}, True)
    save_holds(files, holds)
    assert load_holds(files) == holds


def test_a_process_name_may_hold_brackets() -> None:
    assert parent_and_start("7 (a) b) (c) S 5 7 7 0 -1 4 0 0 0 0 1 2 3 4 20 0 1 0 990 0 0") == (
        5,
        990,
    )


def test_workers_are_told_by_their_titles(tmp_path: Path) -> None:
    stat = "{pid} (nginx) S {parent} 7 7 0 -1 4 0 0 0 0 1 2 3 4 20 0 1 0 {start} 0 0"
    for pid, parent, title in (
        (10, 1, "nginx: master process nginx"),
        (11, 10, "nginx: worker process"),
        (12, 10, "nginx: worker process is shutting down"),
        (13, 10, "nginx: cache manager process"),
        (14, 1, "nginx: worker process"),
    ):
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "stat").write_text(stat.format(pid=pid, parent=parent, start=pid * 100))
        (folder / "cmdline").write_bytes(title.encode() + b"\0")
    found = [(one.pid, one.started, one.leaving) for one in workers_of(10, tmp_path)]
    assert found == [(11, 1100, False), (12, 1200, True)]


def test_the_lock_is_waited_for_about_a_minute() -> None:
    assert 30 <= holds_module._LOCK_SECONDS <= 90


def test_whether_a_switch_is_under_way(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert not is_switching(files), "there was never one"
    with switching(files):
        assert is_switching(files)
    assert not is_switching(files)
