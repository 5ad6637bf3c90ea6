"""A small proxy whose server lines the balancer switches, on a scratch root beside a real nginx."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from provision.host.balancer import upstreams
from provision.host.bundle import Bundle, Nginx, UpstreamServer
from provision.host.document import dumps
from provision.host.files import Files
from provision.plan.plan import Proxy
from provision.render.bundle import render
from tests.unit.render import plans

from .nginx_bed import lay_out, running
from .nginx_door import HangUp

BODY = json.dumps({"model": "m", "prompt": "hi", "stream": True}).encode()
NGINX_JSON = "nginx.json"  # what the bundle says of the proxy, for processes beside the test


def rendered(listen: int, *ports: int) -> Bundle:
    """chat.0, chat.1, ... behind one way in, as it is rendered for a host."""
    address = f"127.0.0.1:{listen}"
    members = [plans.vllm(f"chat.{at}", port=port) for at, port in enumerate(ports)]
    route = plans.route("chat", "/", *members, listen=address)
    return render(plans.plan(*members, proxy=Proxy((address,), (route,))))


@dataclass
class Bed:
    """The proxy's bundle part, the files it reads, and the door to the nginx that reads them."""

    nginx: Nginx
    files: Files
    door: HangUp
    listen: int

    def server(self, instance: str) -> UpstreamServer:
        return next(one for one in self.nginx.servers if one.instance == instance)

    def line(self, instance: str) -> str:
        return (self.files.read(self.server(instance).path) or b"").decode()

    @property
    def answer(self) -> str:
        assert self.nginx.answer
        return self.nginx.answer


@contextlib.contextmanager
def proxy(folder: Path, listen: int, *ports: int, workers: int = 4) -> Iterator[Bed]:
    """A running nginx that is level."""
    bundle = rendered(listen, *ports)
    assert bundle.nginx
    main = lay_out(bundle, folder, workers=workers)
    (folder / NGINX_JSON).write_text(dumps(bundle.nginx))
    with running(main, listen) as pid:
        bed = Bed(bundle.nginx, Files(folder), HangUp(pid, folder / "error.log"), listen)
        upstreams.level(bundle.nginx, bed.files, bed.door)
        yield bed


@dataclass
class Load:
    """Clients that ask without a pause, each answer judged whole."""

    done: int = 0
    failed: list[str] = field(default_factory=list)


@contextlib.contextmanager
def streaming(listen: int, clients: int, last_piece: bytes = b"data: 9\n\n") -> Iterator[Load]:
    """So many clients that read streams to their last piece until the block ends.

    Every second one keeps its connection, the others make a new one for each request.
    """
    load, stop, lock = Load(), threading.Event(), threading.Lock()

    def work(number: int) -> None:
        client = http.client.HTTPConnection("127.0.0.1", listen, timeout=30)
        while not stop.is_set():
            why = _stream_whole(client, last_piece)
            with lock:
                load.done += 1
                if why:
                    load.failed.append(why)
            if why or number % 2:
                client.close()
        client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def _stream_whole(client: http.client.HTTPConnection, last_piece: bytes) -> str:
    """What is wrong with one stream; a kept connection that was closed before is tried anew.

    nginx closes idle kept connections when a worker leaves (RFC 9112, 9.3.1: a client is to ask
    again on a new one, and only what it got no byte of the answer for).
    """
    for fresh in (client.sock is None, True):
        try:
            client.request("POST", "/v1/completions", BODY)
            answer = client.getresponse()
        except (ConnectionError, http.client.BadStatusLine) as error:
            client.close()
            if fresh:
                return f"no answer: {error!r}"
            continue
        try:
            body = answer.read()
        except (http.client.HTTPException, OSError) as error:
            return f"cut: {error!r}"
        if answer.status != 200:
            return f"status {answer.status}"
        return "" if body.endswith(last_piece) else f"cut after {body[-40:]!r}"
    return "unreachable"


def wait_until(what: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a callable to be true; the test fails when it never is."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)
