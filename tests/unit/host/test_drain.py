"""When an instance counts as idle: the engine's own numbers, and the connections to it."""

from __future__ import annotations

import http.server
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provision.host.balancer.connections import (
    Connection,
    Peer,
    connections,
    going_to,
    parse_connections,
    parse_peers,
    peers,
    sockets_of,
    unsent,
)
from provision.host.balancer.drain import wait_idle
from provision.host.balancer.samples import samples
from provision.host.balancer.starts import parse_starts
from provision.host.bundle import Drain, Expectation, Instance, InstanceRuntime, Probe
from provision.host.facts import Placed
from provision.host.files import Files

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="meta-llama/Llama-3.3-70B"} 2.0
vllm:num_requests_running{engine="1",model_name="a } \\" b"} 1.0 1700000000000
vllm:generation_tokens_total{engine="0"} 1.5e+03 # {trace="x"} 1 2
llamacpp:requests_processing 0
broken{x="1" 3
empty{}  4
no_value{a="b"}
nan_only NaN
half NaN
half 2
"""


def test_samples_are_added_up_by_name() -> None:
    assert samples(VLLM) == {
        "vllm:num_requests_running": 3.0,
        "vllm:generation_tokens_total": 1500.0,
        "llamacpp:requests_processing": 0.0,
        "empty": 4.0,
        "half": 2.0,
    }


@pytest.mark.parametrize("text", ["", "\n", "<html>\n<p>404 here</p>", "# only comments 1", "1 2"])
def test_what_is_no_metric_gives_none(text: str) -> None:
    assert samples(text) == {}


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 101 1 0
   2: 0100007F:1F90 0100007F:C351 01 00000000:00000000 00:00000000 00000000     0        0 102 1 0
   3: 0100007F:C360 0100007F:2AF8 01 00000000:00000000 00:00000000 00000000     0        0 103 1 0
   4: 0100007F:C361 0100007F:2AF8 06 00000000:00000000 00:00000000 00000000     0        0 0 3 0
   5: 0100007F:C362 0100007F:2AF8 01 00000000:00000000 00:00000000 00000000     0        0 999 1 0
"""


def test_connections_to_a_port_and_requests_still_being_read() -> None:
    seen = parse_connections(TCP)
    assert seen[1] == Connection("01", 8080, 50000, 101)
    worker = {100, 101, 102, 103}
    assert [one.inode for one in going_to(11000, seen, worker)] == [103]
    assert unsent(seen, worker) == 1, "two clients, one request passed on"
    assert unsent(seen, {101, 103}) == 0
    assert unsent(seen, {103}) == 0


# Two connections of one listener, as ss of iproute2 6.1 prints them: one answered, one not yet.
SS = (
    "0      0      127.0.0.1:50829 127.0.0.1:52122\n"
    "\t bbr wscale:10,10 rto:204 rtt:0.008/0.004 mss:32768 cwnd:10 bytes_received:18 segs_in:2 "
    "bbr:(bw:0bps,mrtt:0.008) send 327680000000bps lastsnd:312 lastrcv:4 lastack:4 minrtt:0.008\n"
    "0      0      [::1]:50829 [::1]:52114\n"
    "\t cubic wscale:10,10 rto:204 ato:40 bytes_sent:5 bytes_acked:5 bytes_received:18 segs_out:2 "
    "send 131072000000bps lastsnd:6000 lastrcv:6520 lastack:208 delivered:2\n"
    "0      0      127.0.0.1:50829 127.0.0.1:52130\n"
    "\t bbr wscale:10,10 rto:204 segs_in:2 lastsnd:9000 lastrcv:9000 lastack:9000\n"
)


def test_peers_as_ss_tells_them() -> None:
    assert parse_peers(SS) == (
        Peer(52122, 312, 4, answered=False, asked=True),
        Peer(52114, 6000, 6520, answered=True, asked=True),
        Peer(52130, 9000, 9000, answered=False, asked=False),
    )
    assert [one.busy for one in parse_peers(SS)] == [True, False, False]


@pytest.mark.parametrize(
    ("sent", "received", "busy"),
    [
        (9000, 100, True),  # asked again on a kept connection
        (100, 9000, True),  # a stream whose last token is 0.1 s old
        (6000, 6001, False),  # answered six seconds ago
    ],
)
def test_a_kept_connection_is_not_busy(sent: int, received: int, busy: bool) -> None:
    assert Peer(1, sent, received, answered=True, asked=True).busy is busy


def test_own_sockets_are_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            found = going_to(port, connections(), sockets_of(os.getpid()))
            assert len(found) == 1
            assert {one.port for one in peers(port) or ()} == {found[0].local_port}


SHOW = """\
Id=vllm@chat.0.service
ActiveState=active
InactiveExitTimestampMonotonic=1000000
ActiveEnterTimestampMonotonic=42500000

Id=vllm@chat.1.service
ActiveState=failed
InactiveExitTimestampMonotonic=1000000
ActiveEnterTimestampMonotonic=2000000

Id=vllm@chat.2.service
ActiveState=active
InactiveExitTimestampMonotonic=0
ActiveEnterTimestampMonotonic=0

Id=vllm@chat.3.service
ActiveState=active
InactiveExitTimestampMonotonic=5000000
ActiveEnterTimestampMonotonic=2000000
"""


def test_the_last_start_is_known_of_what_runs() -> None:
    names = [f"vllm@chat.{number}.service" for number in range(4)]
    assert parse_starts(SHOW, names) == {names[0]: 41.5}


class _Engine(http.server.BaseHTTPRequestHandler):
    """Tells a number of running requests; `server.told` is the text."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        told = self.server.told.encode()  # type: ignore[attr-defined]  # set below
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@contextmanager
def engine(told: str) -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Engine)
    server.told = told  # type: ignore[attr-defined]  # what it answers
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def instance(drain: Drain) -> Instance:
    unit = "vllm@chat.0.service"
    return Instance(
        "chat.0",
        "chat",
        "vllm",
        unit,
        "d" * 64,
        InstanceRuntime(1, "chat.0"),
        Expectation("vllm"),
        Placed("chat.0", "vllm", unit),
        drain,
    )


def by_metric(patience: int) -> Drain:
    # The port in the probe is the one that the instance is going to have: nobody is there now.
    return Drain(Probe("http://127.0.0.1:1/metrics"), "running", (), patience)


def test_the_engines_own_count_is_waited_for(tmp_path: Path) -> None:
    with engine('running{engine="0"} 1\nrunning{engine="1"} 1\n') as server:
        port = server.server_address[1]
        found = wait_idle(instance(by_metric(1)), Files(tmp_path), port)
        assert (found.idle, found.left) == (False, "2 requests by running")
        threading.Timer(1.0, setattr, (server, "told", "running 0\n")).start()
        began = time.monotonic()
        found = wait_idle(instance(by_metric(30)), Files(tmp_path), port)
        assert found.idle
        assert time.monotonic() - began >= 1.4, "idle twice, half a second apart"


def test_with_a_count_of_0_a_kept_connection_of_somebody_does_not_count(tmp_path: Path) -> None:
    with engine("running 0\n") as server:
        port = server.server_address[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            client.recv(1000)
            found = wait_idle(instance(by_metric(30)), Files(tmp_path), port)
    assert found.idle
    assert found.seconds < 15  # of 30


def test_without_a_count_an_unanswered_request_counts_and_a_kept_connection_does_not(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server, _ = listener.accept()
            assert wait_idle(instance(Drain()), Files(tmp_path), port).idle
            client.sendall(b"POST /api/chat HTTP/1.1\r\n\r\n")
            server.recv(1000)
            found = wait_idle(instance(Drain(patience_seconds=2)), Files(tmp_path), port)
            assert (found.idle, found.left) == (False, "1 request past nginx")
            server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            found = wait_idle(instance(Drain(patience_seconds=30)), Files(tmp_path), port)
            assert found.idle
            server.close()


def test_an_engine_that_does_not_tell_its_count_is_looked_at_from_outside(tmp_path: Path) -> None:
    with engine("other 7\n") as server:
        port = server.server_address[1]
        found = wait_idle(instance(by_metric(30)), Files(tmp_path), port)
    assert found.idle


def test_who_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    with engine("running 1\n") as server:
        port = server.server_address[1]
        ends = time.monotonic() + 1
        found = wait_idle(
            instance(by_metric(60)), Files(tmp_path), port, lambda: time.monotonic() < ends
        )
    assert found.idle
    assert found.seconds < 30  # of 60
