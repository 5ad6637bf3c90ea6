"""ready NAME: runs after an instance's program is started; ends when it answers with a token.

None of the engines tells systemd when it is ready, so the start of the unit is over only when
this is. It runs as the service's user, with the service's environment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from ..bundle import InstanceRuntime, Probe
from ..errors import ProvisionError, fail
from ..files import Files
from ..probe import Outcome, ask
from ..runtime import load_runtime
from ..secrets import read_bearer

_EVERY_SECONDS = 0.5
_TELL_SECONDS = 30.0
_TOKEN_TRIES = 3  # the first request after loading may still meet a 503
_SPARE_SECONDS = 15  # before systemd's own limit, so that the reason is told


def ready(name: str, files: Files, environment: Mapping[str, str]) -> None:
    """Wait for readiness, then for one real token; ProvisionError `not-ready` with the reason."""
    runtime = load_runtime(files, name)
    began = time.monotonic()
    deadline = began + max(1, runtime.start_timeout_seconds - _SPARE_SECONDS)
    pid = main_pid(environment)
    if runtime.ready:
        _until_ready(runtime, runtime.ready, deadline, pid, _bearer(runtime, files, environment))
    seconds = time.monotonic() - began
    if runtime.token is None:
        print(f"{name}: ready after {seconds:.1f} s", flush=True)
        return
    outcome = _token(runtime, runtime.token, files, environment, pid)
    print(f"{name}: ready after {seconds:.1f} s, first token {outcome.seconds:.2f} s", flush=True)


def main_pid(environment: Mapping[str, str]) -> int | None:
    """$MAINPID, which systemd gives to ExecStartPost=; None outside of a unit."""
    text = environment.get("MAINPID", "")
    return int(text) if text.isdecimal() and text != "0" else None


def alive(pid: int | None) -> bool:
    """Whether the main process still runs; a zombie does not. Unknown counts as running."""
    if pid is None:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:  # hidepid: another user's process
        return True
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def _until_ready(
    runtime: InstanceRuntime, probe: Probe, deadline: float, pid: int | None, bearer: str | None
) -> None:
    told = began = time.monotonic()
    while True:
        outcome = ask(probe, bearer)
        if outcome.ok:
            return
        now = time.monotonic()
        if not alive(pid):
            raise fail("not-ready", f"{runtime.name}: its program ended before it was ready")
        if now > deadline:
            raise fail(
                "not-ready", f"{runtime.name}: not ready after {now - began:.0f} s: {outcome.why}"
            )
        if now - told > _TELL_SECONDS:
            told = now
            print(f"{runtime.name}: waiting, {now - began:.0f} s: {outcome.why}", flush=True)
        time.sleep(_EVERY_SECONDS)


def _token(
    runtime: InstanceRuntime,
    probe: Probe,
    files: Files,
    environment: Mapping[str, str],
    pid: int | None,
) -> Outcome:
    """One generated token; the proof that the model is there and computes."""
    bearer = _bearer(runtime, files, environment, probe)
    why = ""
    for attempt in range(_TOKEN_TRIES):
        outcome = ask(probe, bearer)
        if outcome.ok:
            return outcome
        why = outcome.why
        if not alive(pid) or attempt + 1 == _TOKEN_TRIES:
            break
        time.sleep(2)
    raise fail("not-ready", f"{runtime.name}: is up, but gives no token: {why}")


def _bearer(
    runtime: InstanceRuntime,
    files: Files,
    environment: Mapping[str, str],
    probe: Probe | None = None,
) -> str | None:
    """The key for a probe: from the environment, since the service's user may not read its file."""
    wanted = (probe or runtime.ready or Probe("")).bearer
    if wanted is None:
        return None
    for variable, reference in sorted(runtime.secrets.items()):
        if reference == wanted and environment.get(variable):
            return environment[variable]
    try:
        return read_bearer(files, wanted)
    except ProvisionError as error:
        raise fail("not-ready", f"{runtime.name}: no key for its probe: {error}") from None


def environment_now() -> Mapping[str, str]:
    """The environment that systemd gave to this process."""
    return dict(os.environ)
