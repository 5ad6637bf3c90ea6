"""GPU settings: the unit that applies them at boot, its document, the device order of shells."""

from __future__ import annotations

from provision.host.bundle import Artifact, GpuSettings
from provision.host.document import dumps
from provision.plan.plan import Plan

from . import paths
from .systemd import needs_settings_unit
from .templates import fill


def settings_of(plan: Plan) -> GpuSettings | None:
    """The document of wanted settings; None when the plan leaves all GPUs as they are."""
    if plan.gpu_settings is None or not plan.gpu_settings.gpus:
        return None
    return GpuSettings(GpuSettings.VERSION, plan.gpu_settings.gpus)


def gpu_artifacts(plan: Plan) -> tuple[Artifact, ...]:
    """Unit and document where GPUs are used or set; the shells' file where an order is wanted."""
    found: list[Artifact] = []
    if needs_settings_unit(plan):
        unit = fill("systemd/provision-gpu-settings.service", python=plan.python, agent=paths.AGENT)
        document = settings_of(plan) or GpuSettings(GpuSettings.VERSION)
        found.append(Artifact(f"{paths.UNITS}/{paths.SETTINGS_UNIT}", unit))
        found.append(Artifact(paths.SETTINGS_FILE, dumps(document)))
    if plan.gpu_settings and plan.gpu_settings.device_order:
        order = plan.gpu_settings.device_order
        found.append(Artifact(paths.PROFILE, fill("profile.d/provision-gpu.sh", order=order)))
    return tuple(found)
