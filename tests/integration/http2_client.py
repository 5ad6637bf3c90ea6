"""As much of HTTP/2 (RFC 9113, RFC 7541) as it takes to ask: streams on one connection."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY = 0, 1, 4, 6, 7
_END_STREAM, _END_HEADERS, _ACK = 0x1, 0x4, 0x1
_STATUS = {0x88: 200, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}  # indexed fields of the table


@dataclass
class Heard:
    """statuses by stream (0: another one). last: the last stream that a GOAWAY admits."""

    statuses: dict[int, int] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    last: int | None = None


class Http2:
    """One connection. Not for long answers: no window is ever widened."""

    def __init__(self, port: int, context: ssl.SSLContext, name: str) -> None:
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), 20)
        self.socket = context.wrap_socket(plain, server_hostname=name)
        self.protocol = self.socket.selected_alpn_protocol()
        self.heard = Heard()
        self._next = 1
        self.socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, b""))

    def post(self, path: str, body: bytes) -> int:
        """Send a request; its stream's number."""
        stream, self._next = self._next, self._next + 2
        head = b"\x83\x87" + _literal(4, path) + _literal(1, "llm") + _named("content-length", body)
        self.socket.sendall(
            _frame(_HEADERS, _END_HEADERS, stream, head) + _frame(_DATA, _END_STREAM, stream, body)
        )
        return stream

    def hear(self, *streams: int) -> Heard:
        """Read until all these have ended, or the connection has."""
        while not set(streams) <= self.heard.ended:
            head = self._read(9)
            if len(head) < 9:
                break
            length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
            self._take(kind, flags, stream, self._read(length))
        return self.heard

    def close(self) -> None:
        self.socket.close()

    def _take(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        if kind == _HEADERS:
            self.heard.statuses[stream] = _STATUS.get(content[0], 0)
        elif kind == _DATA:
            self.heard.bodies[stream] = self.heard.bodies.get(stream, b"") + content
        elif kind == _GOAWAY:
            self.heard.last = int.from_bytes(content[:4], "big") & 0x7FFFFFFF
        elif kind in (_SETTINGS, _PING) and not flags & _ACK:
            answer = content if kind == _PING else b""
            self.socket.sendall(_frame(kind, _ACK, 0, answer))
        if kind in (_HEADERS, _DATA) and flags & _END_STREAM:
            self.heard.ended.add(stream)

    def _read(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            piece = self.socket.recv(count - len(found))
            if not piece:
                break
            found += piece
        return found


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    head = len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + content


def _literal(index: int, value: str) -> bytes:
    """A field whose name is in the table, not to be indexed."""
    return bytes([index, len(value)]) + value.encode()


def _named(name: str, body: bytes) -> bytes:
    value = str(len(body))
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
