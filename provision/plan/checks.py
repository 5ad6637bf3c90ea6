"""What must be right on the host and in the owner's options before anything is started."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from provision.engines.engine import Engine
from provision.engines.launch import Launch
from provision.engines.ollama import Ollama
from provision.engines.options import named_options, owned_by
from provision.host.facts import Facts
from provision.spec.model import HostSpec, InstanceSpec

from .complaints import Complaints

OLDEST_SYSTEMD = 249  # Ubuntu 22.04


def check_owner(group: str, instance: InstanceSpec, engine: Engine, complaints: Complaints) -> None:
    """Options and variables that the plan owns are refused: there would be two truths."""
    at = ("instances", group)
    for number, option in named_options(instance.args):
        owned = owned_by(option, engine.owned_options)
        if owned is not None:
            complaints.error(
                "owned-option",
                f"{group}: args sets {instance.args[number].split('=', 1)[0]}, which provision "
                "sets itself",
                *(*at, "args", number),
                hint=_instead(engine.owned_options[owned]),
            )
    for variable in sorted(instance.env):
        if variable in engine.owned_variables:
            complaints.error(
                "owned-variable",
                f"{group}: env sets {variable}, which provision sets itself",
                *(*at, "env", variable),
                hint=_instead(engine.owned_variables[variable]),
            )
    for variable in sorted(instance.secrets):
        instead = engine.owned_variables.get(variable)
        if instead is not None and not instead.startswith("secrets"):
            complaints.error(
                "owned-variable",
                f"{group}: secrets sets {variable}, which provision sets itself",
                *(*at, "secrets", variable),
                hint=_instead(instead),
            )


def _instead(key: str) -> str:
    reason = key.partition("nothing: ")[2]
    return f"remove it: {reason}" if reason else f"use {key}"


def check_host(spec: HostSpec, facts: Facts, complaints: Complaints) -> None:
    """systemd, Python and nginx."""
    system = facts.stable.system
    if system.systemd is None:
        complaints.warning(
            "systemd-unknown",
            f"the version of systemd is unknown: planned for {OLDEST_SYSTEMD}, newer directives "
            "are left out",
        )
    elif system.systemd < OLDEST_SYSTEMD:
        complaints.error(
            "systemd-old",
            f"systemd is version {system.systemd}, at least {OLDEST_SYSTEMD} is needed",
            hint="Ubuntu 22.04, Debian 12, RHEL 9 and later have it",
        )
    if system.python is None:
        complaints.error(
            "no-python",
            "no Python 3.10 or later was found on the host; the units' guard needs it",
            hint="apt install python3, on RHEL 9: dnf install python3.11",
        )
    if spec.proxy is not None and facts.stable.nginx is None:
        complaints.error(
            "no-nginx",
            "a proxy is wanted, but nginx was not found on the host",
            "proxy",
            hint="apt install nginx (or dnf install nginx), or leave proxy out",
        )


def check_paths(
    spec: HostSpec,
    launches: Sequence[tuple[Launch, Engine]],
    facts: Facts,
    complaints: Complaints,
) -> None:
    """Model files, pulled models and files of secrets: there, as far as the facts can tell."""
    found = {one.path: one for one in facts.stable.paths}
    unknown: list[str] = []
    for launch, engine in launches:
        for at, path in enumerate(engine.requires(launch)):
            if path not in found:
                unknown.append(path)
            elif found[path].kind is None:
                _missing_model(launch, engine, at, path, "ollama" in facts.stable.users, complaints)
    for path, where in _secret_files(spec):
        if path not in found:
            unknown.append(path)
        elif found[path].kind != "file":
            complaints.error(
                "no-secret-file",
                f"{where[1] if where[0] == 'instances' else where[0]}: the file {path} does not "
                "exist on the host",
                *where,
                hint=f"install -m 600 /dev/null {shlex.quote(path)}, then write it as root; what "
                "only root may see, only root may plan with",
            )
    if unknown:
        first, *rest = sorted(set(unknown))
        more = f" and {len(rest)} more" if rest else ""
        complaints.warning(
            "not-looked-at",
            f"it is not known whether the host has {first}{more}: the facts were taken "
            "without this host.yaml",
            hint="apply looks again before it changes anything",
        )


def _missing_model(
    launch: Launch,
    engine: Engine,
    at: int,
    path: str,
    user_exists: bool,
    complaints: Complaints,
) -> None:
    place = ("instances", launch.group)
    if isinstance(engine, Ollama):
        model = launch.models[at]
        folder = engine.folder(launch)
        complaints.error(
            "model-not-pulled",
            f"{launch.group}: {model} is not in {folder}",
            *(*place, *_model_key(launch, at)),
            hint=pull_command(launch.program, model, folder, user_exists),
        )
        return
    complaints.error(
        "no-model-file",
        f"{launch.group}: the model {path} does not exist on the host",
        *(*place, "draft_model" if path == launch.draft_model else "model"),
        hint=f"sudo ls -l {shlex.quote(path)}; what only root may see, only root may plan with",
    )


def _model_key(launch: Launch, at: int) -> tuple[str | int, ...]:
    return ("model",) if len(launch.models) == 1 else ("models", at)


def pull_command(program: str, model: str, folder: str, user_exists: bool) -> str:
    """A command that pulls a model into the folder as the user that will serve it.

    `ollama pull` only asks a server, so one is started for it, on a port of its own.
    """
    home = "/var/lib/ollama"
    folders = " ".join(shlex.quote(one) for one in sorted({home, folder}))
    variables = f"HOME={home} OLLAMA_MODELS={shlex.quote(folder)} OLLAMA_HOST=127.0.0.1:11433"
    command = shlex.quote(program)
    pull = f"{command} serve & sleep 3; {command} pull {shlex.quote(model)}; kill %1"
    user = "" if user_exists else f"useradd -r -s /usr/sbin/nologin -d {home} ollama && "
    return (
        f"{user}install -d -o ollama -g ollama {folders} && "
        f"sudo -u ollama env {variables} bash -mc {shlex.quote(pull)}"
    )


def _secret_files(spec: HostSpec) -> Iterable[tuple[str, tuple[str | int, ...]]]:
    for group, instance in spec.instances.items():
        for variable, secret in instance.secrets.items():
            yield secret.file, ("instances", group, "secrets", variable, "file")
    if spec.proxy is None:
        return
    if spec.proxy.keys is not None:
        yield spec.proxy.keys.file, ("proxy", "keys", "file")
    for number, way in enumerate(spec.proxy.upstreams or ()):
        if way.backup is not None and way.backup.key is not None:
            yield (
                way.backup.key.file,
                ("proxy", "upstreams", number, "backup", "key", "file"),
            )
