"""Units: a template unit an engine, a drop-in an instance, the target, the links that enable."""

from __future__ import annotations

from collections.abc import Sequence

from provision.engines.launch import Launch, LaunchGpu, Pin
from provision.engines.registry import engine_named
from provision.engines.start import is_slice
from provision.host.bundle import Artifact
from provision.host.quantity import CpuSet
from provision.plan.plan import Plan

from . import paths
from .directives import knows
from .templates import fill

START_TIMEOUT_SECONDS = 1800  # until the engine answers: a large model over a slow disk
_READY_GRACE_SECONDS = 700  # `ready` ends first and says why; the token probe has 600 s
_STOP_TIMEOUT_SECONDS = 90  # above vLLM's own 30 s of finishing what runs

_TITLES = {
    "ollama": "Ollama",
    "vllm": "vLLM",
    "llama-server": "llama.cpp server",
}
_DOCUMENTATION = {
    "ollama": "https://docs.ollama.com",
    "vllm": "https://docs.vllm.ai",
    "llama-server": "https://github.com/ggml-org/llama.cpp",
}
_HOMES = ("/home", "/root", "/run/user")  # what ProtectHome= hides
_TEMPORARY = ("/tmp", "/var/tmp")  # what PrivateTmp= hides


def template_unit(engine: str, plan: Plan) -> Artifact:
    """The policy that all instances of an engine share."""
    content = fill(
        "systemd/instance@.service",
        engine=engine,
        title=_TITLES[engine],
        documentation=_DOCUMENTATION[engine],
        user=engine_named(engine).user,
        state=paths.state_folder(engine),
        cache=paths.cache_folder(engine),
        python=plan.python,
        agent=paths.AGENT,
        restart_steps=knows("RestartSteps", plan.systemd),
        start_seconds=START_TIMEOUT_SECONDS + _READY_GRACE_SECONDS,
        stop_seconds=_STOP_TIMEOUT_SECONDS,
    )
    return Artifact(paths.template_unit(engine), content)


def drop_in(launch: Launch) -> Artifact:
    """What one instance runs: its whole command line, its pins, the folders it needs."""
    engine = engine_named(launch.engine)
    writable = tuple(sorted(engine.writable(launch)))
    content = fill(
        "systemd/instance@.service.d/10-provision.conf",
        name=launch.name,
        description=_description(launch),
        mounts=_mounts(launch),
        command=engine.command(launch),
        pins=pins(launch.pin),
        relaxed=_relaxed(needed_paths(launch)),
        writable=writable,
    )
    return Artifact(paths.drop_in(launch.engine, launch.name), _without_gaps(content))


def pins(pin: Pin) -> tuple[tuple[str, str], ...]:
    """Directives of a pin that systemd enforces; none for numactl, single nodes, no pin.

    AllowedMemoryNodes= is as hard as `bind`, so it comes only together with it.
    """
    if pin.form != "systemd":
        return ()
    found: list[tuple[str, str]] = []
    if pin.cpus:
        found += [("CPUAffinity", str(pin.cpus)), ("AllowedCPUs", str(pin.cpus))]
    policy = memory_policy(pin)
    if policy:
        nodes = str(CpuSet.of(pin.nodes))
        found += [("NUMAPolicy", policy), ("NUMAMask", nodes)]
        if policy == "bind":
            found.append(("AllowedMemoryNodes", nodes))
    return tuple(found)


def memory_policy(pin: Pin) -> str | None:
    """The policy that the instance runs under, whoever sets it.

    `preferred` knows one node only: systemd refuses to start a unit with more (exit 242/NUMA).
    """
    if pin.form == "none" or not pin.nodes:
        return None
    if pin.memory == "preferred" and len(pin.nodes) > 1:
        return None
    return pin.memory


def needed_paths(launch: Launch) -> tuple[str, ...]:
    """Every absolute path that the instance reads or writes, sorted."""
    engine = engine_named(launch.engine)
    found = {launch.program, launch.python, *engine.requires(launch), *engine.writable(launch)}
    found |= {model for model in launch.models if model.startswith("/")}
    if launch.models_dir:
        found.add(launch.models_dir)
    return tuple(sorted(found))


def needs_settings_unit(plan: Plan) -> bool:
    """GPU instances wait for it even without settings: it loads modules that they may not load."""
    return bool(plan.gpu_settings and plan.gpu_settings.gpus) or any(
        launch.gpus for launch in plan.instances
    )


def target() -> Artifact:
    """The unit over all instances."""
    return Artifact(f"{paths.UNITS}/{paths.TARGET}", fill("systemd/provision.target"))


def links(plan: Plan) -> tuple[Artifact, ...]:
    """What `systemctl enable` would have made: the same on a live host and below a scratch root."""
    wanted = f"{paths.UNITS}/{paths.TARGET}.wants"
    found = [link(f"{paths.UNITS}/multi-user.target.wants/{paths.TARGET}", paths.TARGET)]
    for launch in plan.instances:
        unit = paths.unit_of(launch.engine, launch.name)
        found.append(link(f"{wanted}/{unit}", f"{launch.engine}@.service"))
    if needs_settings_unit(plan):
        found.append(link(f"{wanted}/{paths.SETTINGS_UNIT}", paths.SETTINGS_UNIT))
    return tuple(found)


def link(path: str, unit: str) -> Artifact:
    """A link that enables a unit."""
    return Artifact(path, f"{paths.UNITS}/{unit}", mode=0o777, kind="link")


def _description(launch: Launch) -> str:
    """By PCI address: an index may move, and a changed drop-in is a restart."""
    where = " ".join(_place(gpu) for gpu in launch.gpus) or "CPU"
    models = " ".join(launch.models)
    return f"{_TITLES[launch.engine]} {launch.name}: {models} on {where}, port {launch.port}"


def _place(gpu: LaunchGpu) -> str:
    """A card's address, `1g.10gb of 0000:17:00.0` for a slice of it."""
    if not is_slice(gpu):
        return str(gpu.address)
    return f"{gpu.profile or 'a MIG slice'} of {gpu.address}"


def _mounts(launch: Launch) -> tuple[str, ...]:
    """Paths whose file systems must be mounted first, without those inside another."""
    needed = needed_paths(launch)
    outer = [
        path
        for path in needed
        if not any(path != other and paths.is_below(path, other) for other in needed)
    ]
    return tuple(path for path in outer if path != launch.python)


def _relaxed(needed: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Where the common policy would hide a path that this instance needs."""
    found: list[tuple[str, str]] = []
    if any(paths.is_below(path, home) for path in needed for home in _HOMES):
        found.append(("ProtectHome", "read-only"))
    if any(paths.is_below(path, folder) for path in needed for folder in _TEMPORARY):
        found.append(("PrivateTmp", "no"))
    return tuple(found)


def _without_gaps(text: str) -> str:
    """One empty line at most between two parts, none at the end."""
    lines: list[str] = []
    for line in text.splitlines():
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).rstrip("\n") + "\n"
