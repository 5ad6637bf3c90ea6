"""Everything between the journal and the commit, in order: files, then services one by one."""

from __future__ import annotations

from collections.abc import Sequence

from .. import systemd
from ..balancer.upstreams import drop_holds, level, lines, load_holds
from ..bundle import Artifact, Bundle
from ..files import Files
from ..names import NGINX_UNIT, RECOVER_UNIT, UNITS
from .changes import View
from .disk import owned_paths
from .prove import prove_changes
from .rolling import Rolling
from .services import (
    forget_runtime,
    gpus_to_put_back,
    instance_of,
    lines_of_late,
    perform_all,
    put_back_gpus,
)
from .state import AGENT_FOLDER, State, content_of, mode_of
from .steps import Steps


def change(
    view: View,
    files: Files,
    steps: Steps,
    state: State,
    aside: Sequence[Artifact],
    steady_seconds: float,
) -> None:
    """Write, stop, start, prove; raises where anything fails."""
    last = view.state.bundle if view.state else Bundle(1, "", "")
    rolling = Rolling(view.bundle, last, files, steps)
    rolling.prepare()
    _write(view, files, state, aside)
    if view.changes.files:
        number = len(view.changes.files)
        steps.add("files", f"{number} file{'' if number == 1 else 's'} in place")
    if not files.live:
        return
    if last.nginx and view.bundle.nginx is None and systemd.status(NGINX_UNIT).running:
        systemd.reload(NGINX_UNIT)  # nobody is sent any more to what is about to stop
    rolling.announce()
    _gpus_back(view, steps)
    perform_all(view, rolling)
    stopped = {one.unit for one in view.changes.units if one.action == "stop" and "@" in one.unit}
    stopped -= {one.unit for one in view.bundle.instances}
    forget_runtime(files, [instance_of(one) for one in sorted(stopped)])
    drop_holds(files, "apply")
    if view.bundle.nginx:
        level(view.bundle.nginx, files)
    prove_changes(view, files, steps, steady_seconds)


def _write(view: View, files: Files, state: State, aside: Sequence[Artifact]) -> None:
    """Copies first, then what can take a run back after a power loss, then all others."""
    nginx = view.bundle.nginx
    held = lines(nginx, load_holds(files)) if nginx and files.live else {}
    for artifact in (*aside, *sorted(view.writes, key=_turn)):
        if artifact.kind == "link":
            files.link(artifact.path, artifact.content)
        elif artifact.path in held:
            files.write(artifact.path, held[artifact.path].encode(), mode_of(artifact))
        else:
            files.write(artifact.path, content_of(artifact), mode_of(artifact))
    kept = lines_of_late(view) if files.live else set()
    for path in view.removes:
        if path not in kept:
            files.remove(path)
    for folder in reversed(_deserted(view, state)):
        files.remove_empty_folder(folder)


def _turn(artifact: Artifact) -> tuple[int, bool, str]:
    """The agent and the unit that calls it at boot come before everything else."""
    recovers = artifact.path.startswith(f"{AGENT_FOLDER}/") or (
        artifact.path.startswith(UNITS) and artifact.path.endswith(f"/{RECOVER_UNIT}")
    )
    return (0 if recovers else 1, artifact.kind == "link", artifact.path)


def _deserted(view: View, state: State) -> list[str]:
    """Folders that we made for files of which none is wanted any more, outermost first."""
    had = owned_paths(view.state, view.journal)
    return [
        folder
        for folder in state.before.folders
        if any(path.startswith(f"{folder}/") for path in had)
        and not any(path.startswith(f"{folder}/") for path in view.wanted)
    ]


def _gpus_back(view: View, steps: Steps) -> None:
    last = view.state.bundle.gpu_settings if view.state else None
    recorded = view.state.before.gpus if view.state else ()
    back = put_back_gpus(gpus_to_put_back(recorded, last, view.bundle.gpu_settings))
    if back:
        steps.add("gpu-settings", f"put back: {', '.join(back)}")
