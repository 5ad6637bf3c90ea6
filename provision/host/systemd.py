"""The one door to systemd: what units are and do, and the verbs. Written for systemd 249-257.

No verb is queued with --no-block, but by queue_*: when a function returns, the job is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import ProvisionError, fail
from .run import Ran, must, run

_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "NeedDaemonReload",
    "UnitFileState",
    "ControlGroup",
    "EffectiveCPUs",
    "InvocationID",
    "TimeoutStartUSec",
)
_SPARE_SECONDS = 120  # a verb may take longer than the unit's own limit: stopping comes on top


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """A unit as systemd sees it now (systemctl show)."""

    name: str
    load: str = "not-found"  # loaded, not-found, masked, error
    active: str = "inactive"  # active, inactive, failed, activating, deactivating, reloading
    sub: str = "dead"
    result: str = ""
    main_pid: int | None = None
    need_reload: bool = False
    enabled: str = ""  # enabled, disabled, static, linked, ...
    cgroup: str = ""  # /system.slice/...
    effective_cpus: str = ""
    invocation: str = ""

    @property
    def running(self) -> bool:
        """Started and not on its way out."""
        return self.active in ("active", "reloading")

    @property
    def stopped(self) -> bool:
        """Nothing of it is left to be stopped, not even a wait for its next try."""
        return self.active in ("inactive", "failed")


def booted() -> bool:
    """Whether systemd is this machine's service manager (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def parse_show(text: str, names: Sequence[str]) -> dict[str, UnitStatus]:
    """The blocks that `systemctl show -p ... A B` prints, one a unit, in the order asked for."""
    blocks: list[dict[str, str]] = []
    for block in text.split("\n\n"):
        pairs = (line.partition("=") for line in block.splitlines() if "=" in line)
        values = {key: value for key, _, value in pairs}
        if values:
            blocks.append(values)
    return {name: _status(name, values) for name, values in zip(names, blocks, strict=False)}


def _status(name: str, values: dict[str, str]) -> UnitStatus:
    pid = values.get("MainPID", "0")
    return UnitStatus(
        name=name,
        load=values.get("LoadState", "not-found"),
        active=values.get("ActiveState", "inactive"),
        sub=values.get("SubState", "dead"),
        result=values.get("Result", ""),
        main_pid=int(pid) if pid.isdecimal() and pid != "0" else None,
        need_reload=values.get("NeedDaemonReload") == "yes",
        enabled=values.get("UnitFileState", ""),
        cgroup=values.get("ControlGroup", ""),
        effective_cpus=values.get("EffectiveCPUs", ""),
        invocation=values.get("InvocationID", ""),
    )


def statuses(names: Sequence[str]) -> dict[str, UnitStatus]:
    """What systemd knows of these units; one that it does not know is `not-found`."""
    if not names:
        return {}
    wanted = tuple(dict.fromkeys(names))
    ran = must(["systemctl", "show", "--no-pager", "-p", ",".join(_PROPERTIES), "--", *wanted])
    found = parse_show(ran.out, wanted)
    return {name: found.get(name, UnitStatus(name)) for name in wanted}


def status(name: str) -> UnitStatus:
    """What systemd knows of one unit."""
    return statuses([name])[name]


def start(unit: str, seconds: float) -> None:
    """Start and wait until ExecStartPost is done; a failed one's count of tries is forgotten."""
    _verb("start", unit, seconds, forget=True)


def restart(unit: str, seconds: float) -> None:
    """Stop if it runs, start, wait until ExecStartPost is done."""
    _verb("restart", unit, seconds, forget=True)


def queue_restart(unit: str) -> None:
    """Have it restarted without waiting for that; systemd's count of starts is not forgotten."""
    ran = run(["systemctl", "restart", "--no-block", "--", unit])
    if not ran.ok:
        raise UnitError(unit, fail("unit-failed", f"{unit}: systemctl restart failed: {ran.said}"))


def stop(unit: str, seconds: float = 300) -> None:
    """Stop; also ends the waiting for a next automatic try. Unknown units are stopped already."""
    seen = status(unit)
    if not seen.stopped or seen.load not in ("not-found", "bad-setting", "error"):
        _verb("stop", unit, seconds)


def reload(unit: str) -> None:
    """Let the service read its configuration again."""
    _verb("reload", unit, 60)


def enable(unit: str) -> None:
    """Start it at boot."""
    must(["systemctl", "enable", "--quiet", "--", unit], timeout=120)


def disable(unit: str) -> None:
    """Do not start it at boot."""
    must(["systemctl", "disable", "--quiet", "--", unit], timeout=120)


def daemon_reload() -> None:
    """Let systemd read the unit files again."""
    must(["systemctl", "daemon-reload"], timeout=180)


def queue_start(*units: str) -> None:
    """Ask for a start and do not wait."""
    must(["systemctl", "start", "--no-block", "--", *units], timeout=60)


def join_start(unit: str, seconds: float) -> None:
    """Wait for a start that was queued. One that failed meanwhile is a failure, not tried again."""
    seen = status(unit)
    if seen.active == "failed" or seen.sub.startswith("auto-restart"):
        what = f"{unit}: its start failed ({seen.result or 'no result'})"
        raise UnitError(unit, fail("unit-failed", what))
    _verb("start", unit, seconds)


def run_later(name: str, seconds: int, argv: Sequence[str]) -> None:
    """A transient timer (systemd-run(1)) that runs a command once, whatever becomes of its maker.

    It counts monotonic time and is gone after a reboot.
    """
    drop_transient(f"{name}.timer")
    must(
        [
            *("systemd-run", "--quiet", "--collect", f"--unit={name}", f"--on-active={seconds}s"),
            *("--timer-property=AccuracySec=1s", "--property=TimeoutStartSec=infinity"),
            # A killed one is tried again: nobody else is there to do its work.
            *("--property=Type=oneshot", "--property=Restart=on-abnormal", "--", *argv),
        ],
        timeout=60,
    )


def drop_transient(unit: str) -> None:
    """End a transient timer; fine where there is none. A service that it began already goes on."""
    run(["systemctl", "stop", "--", unit], timeout=60)
    reset_failed(unit)


def reset_failed(unit: str) -> None:
    """Forget a failure and the count of tries; fine when there is nothing to forget."""
    run(["systemctl", "reset-failed", "--", unit])


def clean_caches(unit: str) -> None:
    """Take away the cache and runtime folders that systemd made for a stopped unit."""
    run(["systemctl", "clean", "--what=cache", "--what=runtime", "--", unit], timeout=120)


def make_users(path: str) -> None:
    """Make the system users of a sysusers.d file."""
    must(["systemd-sysusers", path])


def make_folders(path: str) -> None:
    """Make the folders of a tmpfiles.d file. 65 and 73 only tell of lines it could not use."""
    ran = run(["systemd-tmpfiles", "--create", path], timeout=120)
    if not ran.ok:
        raise fail("folders-not-made", f"systemd-tmpfiles --create {path}: {ran.said}")


def last_lines(unit: str, lines: int = 15) -> str:
    """The unit's last lines in the journal; empty where there is none."""
    ran = run(["journalctl", "-q", "--no-pager", "-o", "cat", "-n", str(lines), "-u", unit])
    return ran.out.strip() if ran.ok else ""


def lines_of_start(seen: UnitStatus) -> str:
    """What the unit's present run has said, by its invocation."""
    if not seen.invocation:
        return ""
    match = f"_SYSTEMD_INVOCATION_ID={seen.invocation}"
    ran = run(["journalctl", "-q", "--no-pager", "-o", "cat", "-n", "400", match])
    return ran.out if ran.ok else ""


def verify_units(paths: Sequence[Path], folder: Path) -> Ran:
    """`systemd-analyze verify` of staged units; drop-ins and templates are found in the folder.

    Without --recursive-errors=yes an unknown key is a warning with exit code 0 (systemd 252).
    The option is new in 250; systemd 249 then refuses it, and is asked again without it.
    """
    argv = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=yes"]
    names = [str(path) for path in paths]
    env = {"SYSTEMD_UNIT_PATH": f"{folder}:"}  # the colon appends the usual folders
    ran = run([*argv, *names], timeout=120, env=env)
    if "unrecognized option" in ran.err:
        return run([*argv[:-1], *names], timeout=120, env=env)
    return ran


class UnitError(ProvisionError):
    """A verb on a unit failed; unit names it, so that its journal can be shown."""

    def __init__(self, unit: str, error: ProvisionError) -> None:
        super().__init__(*error.diagnostics, exit_code=error.exit_code)
        self.unit = unit


def _verb(verb: str, unit: str, seconds: float, *, forget: bool = False) -> None:
    if forget:  # after too many tries systemd refuses to start it at all
        reset_failed(unit)
        if status(unit).sub.startswith("auto-restart"):
            # Started now, it would only wait for the pause before its next try (RestartSec=).
            _verb("stop", unit, seconds)
    ran = run(["systemctl", verb, "--", unit], timeout=seconds + _SPARE_SECONDS)
    if not ran.ok:
        said = (ran.said or "no output").splitlines()[0]  # the next one only names commands
        raise UnitError(unit, fail("unit-failed", f"{unit}: systemctl {verb} failed: {said}"))
