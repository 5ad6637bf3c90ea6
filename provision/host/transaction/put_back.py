"""Back to the last commit: files from the journal, then services until they agree with the State.

The same way back for an apply that failed, for a run that was killed, and at boot. Everything is
compared before it is done, so that it may be cut short anywhere and begun again.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from functools import partial

from .. import systemd
from ..balancer.upstreams import drop_holds, level
from ..bundle import Bundle, Instance
from ..errors import Diagnostic, ProvisionError
from ..files import Files
from ..names import GPU_UNIT, NGINX_FOLDER, NGINX_UNIT, SERVICES, TARGET, UNITS
from ..unit.nvml import readings
from .aftermath import finish_removal, no_record_left
from .generations import prune
from .instance_changes import running_digest
from .journal import (
    Journal,
    PreImage,
    UnitWas,
    drop_journal,
    load_journal,
    restore,
    sweep_leftovers,
)
from .rolling import Rolling
from .services import forget_runtime, gpus_to_put_back, instance_of, put_back_gpus
from .state import FOLDER, State, load_state, matches
from .steps import Steps
from .unit_changes import differing_settings, other_digest, units_of
from .validate import sweep_stages

SAVED = ".provision-saved"
# Written by this program alone, and at other times than an apply too.
_HOST_MADE = (f"{FOLDER}/", f"{NGINX_FOLDER}provision/")


def settle(files: Files) -> Journal | None:
    """End what an earlier run left. None: nothing was, or it was committed and is tidied up now.

    Otherwise the files are as of the last commit when this returns, and the journal is still
    there: services may be ahead of them.
    """
    journal, state = load_journal(files), load_state(files)
    sweep_leftovers(files, journal)
    if files.live:
        sweep_stages()
    if journal is None:
        if state is None:
            no_record_left(files)
        return None
    if journal.committed(state):
        if journal.removal:
            finish_removal(files, journal)
        else:
            prune(files, state)
            drop_journal(files)
        return None
    left = files_back(files, journal)
    if left:
        raise ProvisionError(*left)
    return journal


def files_back(files: Files, journal: Journal) -> list[Diagnostic]:
    """Put every path back as it was; what could not be."""
    left: list[Diagnostic] = []
    for image in journal.pre_images:
        attempt(left, f"put {image.path} back", partial(_one_back, files, journal, image))
    if not left:
        prune(files, load_state(files))
    return left


def services_back(
    files: Files, state: State | None, journal: Journal, steps: Steps
) -> list[Diagnostic]:
    """Bring services to what the State says, or to what they were; what could not be brought."""
    left: list[Diagnostic] = []
    bundle = state.bundle if state else Bundle(1, "", "")
    attempt(left, "let systemd read its units again", systemd.daemon_reload)
    drop_holds(files, "apply")
    rolling = Rolling(bundle, bundle, files, steps)
    attempt(left, "bring nginx back", partial(_nginx_back, rolling, journal))
    ours = units_of(one.path for one in state.owned) if state else set()
    for unit in sorted(units_of(one.path for one in journal.owned) - ours):
        attempt(left, f"stop {unit}", partial(_stop, unit))
        if "@" in unit:
            forget_runtime(files, [instance_of(unit)])
    _gpus_back(bundle, journal, left)
    ran = [one for one in bundle.instances if _ran(journal, one)]
    begun = _begun(rolling, ran)
    for instance in bundle.instances:
        back = partial(_instance_back, rolling, instance, instance in ran, instance.unit in begun)
        attempt(left, f"bring {instance.unit} back", back)
    for name in (TARGET, *SERVICES):
        was = journal.unit(name)
        if was and was.ran and name in ours:
            attempt(left, f"start {name}", partial(_service_back, name, bundle))
    if bundle.nginx:
        attempt(left, "see nginx serve the restored files", partial(level, bundle.nginx, files))
    for was in journal.units:
        if was.name not in ours and "@" not in was.name and was.name != NGINX_UNIT:
            attempt(left, f"bring {was.name} back", partial(_unit_back, was))
    return left


def attempt(left: list[Diagnostic], what: str, action: Callable[[], object]) -> None:
    """Do one step of the way back; where it fails, note it and go on with the others."""
    try:
        action()
    except (ProvisionError, OSError) as error:
        left.append(Diagnostic("not-undone", f"could not {what}: {error}"))


def _one_back(files: Files, journal: Journal, image: PreImage) -> None:
    """One path; what somebody wrote there after the run was cut short is kept beside it."""
    disk = files.look(image.path)
    if disk and disk.kind == "file" and not image.path.startswith(_HOST_MADE):
        before = image.kind == "file" and disk.content == base64.b64decode(image.content)
        written = (*journal.owned, *journal.copies)
        ours = any(one.path == image.path and matches(one.digest, disk) for one in written)
        if not before and not ours:
            files.write(image.path + SAVED, disk.content, disk.mode)
    restore(files, image)


def _stop(unit: str) -> None:
    systemd.stop(unit)
    systemd.reset_failed(unit)


def _service_back(unit: str, bundle: Bundle) -> None:
    """Running, and with the unit that was restored."""
    now = systemd.status(unit)
    artifact = next((one for one in bundle.artifacts if one.path == UNITS + unit), None)
    if not now.running:
        systemd.start(unit, 120)
    elif artifact and other_digest(artifact, now):
        systemd.restart(unit, 120)


def _ran(journal: Journal, instance: Instance) -> bool:
    was = journal.unit(instance.unit)
    return was is None or was.ran


def _begun(rolling: Rolling, instances: Iterable[Instance]) -> set[str]:
    """Units of those that are starting at the same time now. None where that cannot be: it only
    saves time, each is brought back by itself afterwards.
    """
    try:  # one that is astray may still hold the port of another
        return set() if _astray(instances) else rolling.begin(instances)
    except (ProvisionError, OSError):
        return set()


def _astray(instances: Iterable[Instance]) -> bool:
    """Whether one of them runs, or starts, with another configuration than the one that counts."""
    wanted = {one.unit: one.digest for one in instances}
    seen = systemd.statuses(list(wanted)).values()
    return any(not one.stopped and running_digest(one) != wanted[one.name] for one in seen)


def _instance_back(rolling: Rolling, instance: Instance, ran: bool, begun: bool) -> None:
    """Running with the restored files, or stopped if it did not run."""
    if not ran:
        _stop(instance.unit)
        return
    if begun:
        rolling.renew(instance, "start", keep=False, begun=True)
        return
    now = systemd.status(instance.unit)
    if not now.running or running_digest(now) != instance.digest:
        # A start that is under way is one of the new files: it is not joined, it is ended.
        rolling.renew(instance, "start" if now.stopped else "restart", keep=False)
    else:
        rolling.admit(instance)


def _nginx_back(rolling: Rolling, journal: Journal) -> None:
    """As it was: running with the restored files, or not running, or not enabled."""
    was, now = journal.unit(NGINX_UNIT), systemd.status(NGINX_UNIT)
    if was is None or now.load == "not-found":
        return
    _unit_back(was)
    if not was.ran:
        return
    if rolling.wanted.nginx:
        rolling.prepare()
        rolling.announce()
    elif any(image.path.startswith(NGINX_FOLDER) for image in journal.pre_images):
        systemd.reload(NGINX_UNIT)


def _gpus_back(bundle: Bundle, journal: Journal, left: list[Diagnostic]) -> None:
    made = bundle.gpu_settings
    new = gpus_to_put_back(journal.before.gpus, journal.gpu_settings, made)
    if new:
        attempt(left, "put GPU settings back", lambda: put_back_gpus(new))
    if made is None or not made.gpus:
        return
    why = differing_settings(made, readings(tuple(one.uuid for one in made.gpus)))
    if why:
        attempt(left, "make the last GPU settings again", lambda: systemd.restart(GPU_UNIT, 300))


def _unit_back(was: UnitWas) -> None:
    now = systemd.status(was.name)
    if was.ran and not now.running:
        systemd.start(was.name, 300)
    if not was.ran and now.running:
        systemd.stop(was.name)
    if was.enabled == "enabled" and now.enabled == "disabled":
        systemd.enable(was.name)
    if was.enabled == "disabled" and now.enabled == "enabled":
        systemd.disable(was.name)
