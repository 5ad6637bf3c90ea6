"""Where requests go when nobody here can take them, through a real nginx."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.plan.plan import Backup, Plan
from provision.render.bundle import render

from .certificates import OPENSSL, Certificate, certificate
from .name_server import Names, name_server
from .nginx_bed import (
    NGINX,
    NJS,
    PIECES,
    Answer,
    Backend,
    ask,
    ask_at_once,
    backends,
    check,
    free_ports,
    lay_out,
    running,
    stream_taken_piece_by_piece,
)
from .nginx_plans import by_model, one_route, spare

pytestmark = pytest.mark.skipif(not (NGINX and OPENSSL), reason="needs nginx and openssl")
NAME = "api.example.test"
CHAT = "/v1/chat/completions"
BODY = json.dumps({"model": "m", "messages": []}).encode()
OURS, THEIRS = "sk-key-of-our-client", "sk-key-for-elsewhere"
PRIVATE = {
    "Authorization": f"Bearer {OURS}",
    "x-api-key": OURS,
    "api-key": OURS,
    "Cookie": f"session={OURS}",
    "X-Forwarded-For": "192.0.2.7",
}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("elsewhere"), NAME)


@pytest.fixture
def names() -> Iterator[Names]:
    with name_server() as found:
        yield found


def elsewhere(
    listen: int, engine: int, remote: int, trusted: Certificate, path: str = "/", base: str = "/v1"
) -> Plan:
    """One vLLM, and an endpoint with TLS at `remote` behind it."""
    backup = Backup(
        url=f"https://{NAME}:{remote}{base}",
        key_file="/etc/llm/backup-key",
        authorities=str(trusted.authority),
    )
    return one_route(listen, engine, path=path, route={"backup": backup})


def lay(plan: Plan, folder: Path, names: Names) -> Path:
    return lay_out(render(plan), folder, keys=(THEIRS,), resolver=f"127.0.0.1:{names.port}")


def test_other_instances_take_over_and_step_back(tmp_path: Path) -> None:
    listen, port, second = free_ports(3)
    plan = one_route(listen, port, route={"backup": spare(second)})
    bundle = render(plan)
    assert bundle.nginx and bundle.nginx.with_backup == ()
    assert [(one.instance, " backup" in one.up) for one in bundle.nginx.servers] == [
        ("chat.0", False),
        ("spare.0", True),
    ]
    main = lay_out(bundle, tmp_path)
    engine, other = Backend(port), Backend(second)
    with backends(other), running(main, listen):
        assert ask(listen, CHAT, BODY).json()["port"] == second, "refused connections"
        with backends(engine):
            assert ask(listen, CHAT, BODY).json()["port"] == port
            engine.mode = "busy"
            assert ask(listen, CHAT, BODY).json()["port"] == second, "busy"
            engine.mode = "answer"
            assert ask(listen, CHAT, BODY).json()["port"] == port


def test_a_full_instance_overflows(tmp_path: Path) -> None:
    listen, port, second = free_ports(3)
    route = {"backup": spare(second), "max_in_flight": 1}
    main = lay_out(render(one_route(listen, port, route=route)), tmp_path)
    held = threading.Event()
    engine, other = (Backend(one, "hold", held=held) for one in (port, second))
    with backends(engine, other), running(main, listen):
        answers = ask_at_once(3, 1, held, lambda: ask(listen, CHAT, BODY))
    statuses = Counter(one.status for one in answers)
    assert statuses == {200: 2, 503: 1}
    assert (engine.most_at_once, other.most_at_once) == (1, 1)


@pytest.mark.parametrize(
    ("path", "base", "arrives"),
    [
        ("/", "", CHAT),
        ("/", "/", CHAT),
        ("/", "/v1", CHAT),
        ("/", "/v1/", CHAT),
        ("/", "/openai/v1", "/openai" + CHAT),
        ("/big/", "/api", "/api" + CHAT),
    ],
)
def test_an_endpoint_gets_its_own_path_and_key_and_nothing_of_the_clients(
    tmp_path: Path, theirs: Certificate, names: Names, path: str, base: str, arrives: str
) -> None:
    listen, gone, port = free_ports(3)
    remote = Backend(port, tls=theirs.served())
    main = lay(elsewhere(listen, gone, port, theirs, path, base), tmp_path, names)
    with backends(remote), running(main, listen):
        asked = path.rstrip("/") + CHAT + "?beta=true"
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", **PRIVATE}
        answer = ask(listen, asked, BODY, headers)
    assert (answer.status, answer.json()["path"]) == (200, f"{arrives}?beta=true")
    seen = remote.seen[0]
    assert seen.body == BODY
    assert seen.headers == {
        "host": f"{NAME}:{port}",
        "authorization": f"Bearer {THEIRS}",
        "content-type": "application/json",
        "accept": "text/event-stream",
        "content-length": str(len(BODY)),
    }
    assert names.asked == [NAME]


def test_it_is_asked_for_what_is_busy_full_or_gone_and_for_nothing_else(
    tmp_path: Path, theirs: Certificate, names: Names
) -> None:
    listen, port, far = free_ports(3)
    engine, remote = Backend(port), Backend(far, tls=theirs.served())
    plan = elsewhere(listen, port, far, theirs)
    bundle = render(plan)
    assert bundle.nginx and bundle.nginx.with_backup == ("chat",)
    assert str(theirs.authority) in bundle.nginx.requires
    main = lay(plan, tmp_path, names)

    def answer(path: str = CHAT) -> Answer:
        return ask(listen, path, BODY)

    with backends(engine, remote), running(main, listen):
        assert answer().json()["port"] == port
        for status in ("400 Bad Request", "404 Not Found", "500 Oops"):
            engine.status = status
            assert (answer().status, answer().json()["port"]) == (int(status[:3]), port)
        assert remote.seen == []
        engine.mode = "busy"
        assert answer().json()["port"] == far
        engine.mode = "reset"
        assert answer().json()["port"] == far
        assert answer("/metrics").status == 404
        assert len(remote.seen) == 2


def test_what_it_says_itself_and_when_it_is_gone(
    tmp_path: Path, theirs: Certificate, names: Names
) -> None:
    """Its 401 is about our key, which is no matter of the client's."""
    listen, gone, far = free_ports(3)
    remote = Backend(far, tls=theirs.served())
    main = lay(elsewhere(listen, gone, far, theirs), tmp_path, names)
    with running(main, listen):
        with backends(remote):
            for status, told in (("401 No", 503), ("429 Slow", 429), ("400 What", 400)):
                remote.status = status
                assert ask(listen, CHAT, BODY).status == told
        answer = ask(listen, CHAT, BODY)
    assert answer.status == 503
    assert answer.json()["error"]["code"] == 503  # type: ignore[index]  # JSON of our own template
    assert answer.headers["retry-after"] == "5"


def test_a_wrong_certificate_gets_no_key_and_no_request(
    tmp_path: Path, theirs: Certificate, names: Names
) -> None:
    listen, gone, far = free_ports(3)
    other = certificate(tmp_path / "other", NAME)
    wrong_name = certificate(tmp_path / "wrong", "else.example.test")
    for number, (shown, trusted) in enumerate([(other, theirs), (wrong_name, wrong_name)]):
        remote = Backend(far, tls=shown.served())
        folder = tmp_path / str(number)
        main = lay(elsewhere(listen, gone, far, trusted), folder, names)
        with backends(remote), running(main, listen):
            assert ask(listen, CHAT, BODY).status == 503
        assert remote.seen == []
        assert "certificate" in (folder / "error.log").read_text()


def test_streams_pass_piece_by_piece_and_large_bodies_whole(
    tmp_path: Path, theirs: Certificate, names: Names
) -> None:
    """The body was read for the instances already, a large one into a file."""
    listen, port, far = free_ports(3)
    engine, remote = Backend(port, "busy"), Backend(far, "stream", tls=theirs.served())
    main = lay(elsewhere(listen, port, far, theirs), tmp_path, names)
    with backends(engine, remote), running(main, listen):
        _, arrived = stream_taken_piece_by_piece(remote, listen, CHAT, BODY)
        remote.mode = "answer"
        large = ask(listen, CHAT, b"x" * (5 * 2**20))
    assert len(arrived) == PIECES
    assert large.json()["body_bytes"] == 5 * 2**20


def test_a_silent_instance_does_not_overflow(
    tmp_path: Path, theirs: Certificate, names: Names
) -> None:
    """It may be generating still; the same answer is not made twice."""
    listen, port, far = free_ports(3)
    remote = Backend(far, tls=theirs.served())
    plan = elsewhere(listen, port, far, theirs)
    assert plan.proxy
    plan = dataclasses.replace(plan, proxy=dataclasses.replace(plan.proxy, read_timeout_seconds=1))
    main = lay(plan, tmp_path, names)
    with backends(Backend(port, delay_seconds=20), remote), running(main, listen):
        assert ask(listen, CHAT, BODY).status == 504
    assert remote.seen == []


def test_nginx_starts_and_reloads_without_a_name_server(
    tmp_path: Path, theirs: Certificate
) -> None:
    """Names are looked up when they are needed: a proxy must not hang on somebody's DNS."""
    listen, gone, far = free_ports(3)
    plan = elsewhere(listen, gone, far, theirs)
    main = lay_out(render(plan), tmp_path, keys=(THEIRS,), resolver="127.0.0.1:1")
    assert check(main).returncode == 0
    with running(main, listen):
        answer = ask(listen, CHAT, BODY)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


def test_an_address_without_tls(tmp_path: Path) -> None:
    listen, gone, far = free_ports(3)
    backup = Backup(url=f"http://127.0.0.1:{far}/v1")
    bundle = render(one_route(listen, gone, route={"backup": backup}))
    assert bundle.nginx and (bundle.nginx.resolver, bundle.nginx.requires) == (None, ())
    main = lay_out(bundle, tmp_path)
    remote = Backend(far)
    with backends(remote), running(main, listen):
        assert ask(listen, CHAT, BODY, PRIVATE).json()["path"] == CHAT
    assert OURS not in str(remote.seen[0].headers)
    assert remote.seen[0].headers["host"] == f"127.0.0.1:{far}"


@pytest.mark.skipif(not NJS, reason="nginx's njs module is not installed")
@pytest.mark.parametrize("path", ["/", "/all/"])
def test_pools_of_models_overflow_too(tmp_path: Path, path: str) -> None:
    listen, chat, small, deep, far, second = free_ports(6)
    plan = by_model(listen, (chat, small, deep), path)
    assert plan.proxy
    url = Backup(url=f"http://127.0.0.1:{far}/v1")
    remote, other = Backend(far), Backend(second)
    for number, (backup, to) in enumerate(((url, far), (spare(second), second))):
        route = dataclasses.replace(plan.proxy.routes[0], backup=backup)
        proxy = dataclasses.replace(plan.proxy, routes=(route,))
        folder = tmp_path / str(number)
        main = lay_out(render(dataclasses.replace(plan, proxy=proxy)), folder)
        with backends(remote, other, Backend(small)), running(main, listen):
            asked = path.rstrip("/") + CHAT
            answer = ask(listen, asked, b'{"model": "big"}', PRIVATE).json()
            assert (answer["port"], answer["path"]) == (to, CHAT)
            assert ask(listen, asked, b'{"model": "phi4"}').json()["port"] == small
            own = path.rstrip("/") + "/tokenize"
            seen = len(remote.seen)
            status = ask(listen, own, b'{"model": "tiny model"}').status
            assert status == (503 if backup is url else 200)
            assert len(remote.seen) == seen, "an endpoint elsewhere has no such path"
