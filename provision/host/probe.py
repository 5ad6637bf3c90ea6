"""One HTTP request to an engine or to nginx, and the judgement of its answer."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .bundle import Probe

_MOST_BYTES = 4 << 20  # an answer to a probe is small; a longer one is cut and judged as it is


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a probe went. status None: no answer at all; why is empty when it succeeded."""

    ok: bool
    why: str = ""
    status: int | None = None
    seconds: float = 0.0


def ask(probe: Probe, bearer: str | None = None) -> Outcome:
    """Send the request and judge the answer; never raises for what the other side does."""
    began = time.monotonic()
    try:
        status, body = _exchange(probe, bearer, began + probe.timeout_seconds)
    except TimeoutError:
        seconds = time.monotonic() - began
        return Outcome(False, f"{probe.url}: no answer within {seconds:.1f} s", None, seconds)
    except (OSError, http.client.HTTPException, ValueError) as error:
        seconds = time.monotonic() - began
        return Outcome(False, f"{probe.url}: {_words(error)}", None, seconds)
    why = judge(probe, status, body)
    return Outcome(why is None, why or "", status, time.monotonic() - began)


def fetch(probe: Probe, bearer: str | None = None) -> str | None:
    """The text of an answer with the wanted status; None where there is none in time."""
    try:
        status, body = _exchange(probe, bearer, time.monotonic() + probe.timeout_seconds)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    return body.decode("utf-8", "replace") if status == probe.status else None


def judge(probe: Probe, status: int, body: bytes) -> str | None:
    """What is wrong with an answer, with the server's own words; None when it is what was asked."""
    text = body.decode("utf-8", "replace")
    said = f": {' '.join(text.split()):.200}" if text.strip() else ""
    if status != probe.status:
        return f"{probe.url}: status {status} instead of {probe.status}{said}"
    if probe.body_has is not None and probe.body_has not in text:
        return f"{probe.url}: the answer lacks {probe.body_has!r}{said}"
    if probe.token_at:
        try:
            answer = json.loads(text)
        except ValueError:
            return f"{probe.url}: the answer is not JSON{said}"
        if not any(is_token(value_at(answer, path)) for path in probe.token_at):
            return f"{probe.url}: no token at {' or '.join(probe.token_at)}{said}"
    return None


def value_at(answer: Any, path: str) -> Any:
    """What stands at a dotted path, numbers index lists; None when nothing does."""
    for part in path.split("."):
        if isinstance(answer, dict):
            answer = answer.get(part)
        elif isinstance(answer, list) and part.isdecimal() and int(part) < len(answer):
            answer = answer[int(part)]
        else:
            return None
    return answer


def is_token(value: Any) -> bool:
    """Whether a value proves a generated token: text that is not empty, or a positive count."""
    if isinstance(value, str):
        return bool(value)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def bearer_header(bearer: str | None) -> Mapping[str, str]:
    """The header that carries an API key."""
    return {"Authorization": f"Bearer {bearer}"} if bearer else {}


def _exchange(probe: Probe, bearer: str | None, deadline: float) -> tuple[int, bytes]:
    """One connection, one request; the whole of it ends at the deadline."""
    address = urllib.parse.urlsplit(probe.url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError("only http:// and https:// can be probed")
    path = address.path or "/"
    target = f"{path}?{address.query}" if address.query else path
    connection = _connection(address, probe.timeout_seconds)
    headers = {"Accept": "application/json, */*", **probe.headers, **bearer_header(bearer)}
    body = None if probe.body is None else probe.body.encode()
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    try:
        connection.request(probe.method, target, body, headers)
        response = connection.getresponse()
        return response.status, _read(response, deadline)
    finally:
        connection.close()


def _connection(address: urllib.parse.SplitResult, timeout: float) -> http.client.HTTPConnection:
    """To nginx's own listeners over TLS, too, whatever name its certificate is for.

    Who answers on this machine is proven by the listener's process, not by a certificate.
    """
    assert address.hostname is not None  # looked at before
    if address.scheme == "http":
        return http.client.HTTPConnection(address.hostname, address.port or 80, timeout=timeout)
    import ssl  # takes a while, and only a host with TLS needs it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(
        address.hostname, address.port or 443, timeout=timeout, context=context
    )


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """The body, also from a server that sends drop by drop."""
    body = b""
    while len(body) < _MOST_BYTES:
        piece = response.read1(65536)
        if not piece:
            break
        body += piece
        if time.monotonic() > deadline:
            raise TimeoutError
    return body


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
