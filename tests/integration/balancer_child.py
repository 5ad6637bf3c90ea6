"""One switch of the balancer in a process of its own, killed ahead of its n-th change.

    python -m tests.integration.balancer_child FOLDER MASTER N VERB WHO

A change is a rename, a removal or a signal to nginx. 0 as N: it is not killed. What it prints is
how many changes it made. The process is killed by itself with SIGKILL, in the middle of the call.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from provision.host.balancer import upstreams
from provision.host.bundle import Nginx
from provision.host.document import loads
from provision.host.files import Files

from .nginx_door import HangUp

_CHANGES = ("os.rename", "os.remove", "os.kill")


def main(words: list[str]) -> None:
    folder, master, kill_at, verb, who = words
    made = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal made
        if event in _CHANGES and arguments[-1] != signal.SIGKILL:
            made += 1
            if made == int(kill_at):
                os.kill(os.getpid(), signal.SIGKILL)

    nginx = loads(Nginx, (Path(folder) / "nginx.json").read_text())
    files = Files(Path(folder))
    door = HangUp(int(master), Path(folder) / "error.log")
    sys.addaudithook(hook)
    holder: upstreams.Holder = "watch" if who == "watch" else "apply"
    if verb == "take_out":
        upstreams.take_out(nginx, files, ["chat.0"], holder, "test", door)
    else:
        upstreams.bring_in(nginx, files, ["chat.0"], holder, door)
    print(made)


if __name__ == "__main__":
    main(sys.argv[1:])
