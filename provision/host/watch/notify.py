"""Telling systemd how the watch unit is: sd_notify(3), written by hand over NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


def notify(text: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send `READY=1`, `WATCHDOG=1`, `STATUS=...`; False where nobody listens.

    A path, or a name of the abstract namespace, which is written with `@` (sd_notify(3)).
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one:
            one.settimeout(1)
            one.connect(address)
            one.sendall(text.encode())
    except OSError:  # systemd is just being restarted: the next word gets through
        return False
    return True
