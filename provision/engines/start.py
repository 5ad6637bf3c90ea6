"""What all engines share in their start: numactl in front, devices, ids, probes' headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from provision.host.bundle import Probe, SecretReference
from provision.host.errors import Diagnostic
from provision.host.quantity import CpuSet

from .launch import Launch, LaunchGpu

# CUDA's own default is FASTEST_FIRST, which is not nvidia-smi's order (nvml.h, CUDA guide).
DEVICE_ORDER = "PCI_BUS_ID"
_NO_DEVICE = "-1"  # an empty list counts as "not set" for some readers (vllm/platforms)

_SHARED_VARIABLES: Mapping[str, str] = {
    "CUDA_DEVICE_ORDER": "gpus",
    "CUDA_VISIBLE_DEVICES": "gpus",
    "NVIDIA_VISIBLE_DEVICES": "gpus",
    "HIP_VISIBLE_DEVICES": "gpus",
    "ROCR_VISIBLE_DEVICES": "gpus",
    "GPU_DEVICE_ORDINAL": "gpus",
    "PROVISION_DIGEST": "nothing: it tells whether a restart is needed",
}


def shared_variables(own: Mapping[str, str]) -> dict[str, str]:
    """Variables that no owner may set for any engine, together with the engine's own."""
    return dict(sorted({**_SHARED_VARIABLES, **own}.items()))


def pinned(launch: Launch, command: tuple[str, ...]) -> tuple[str, ...]:
    """The command with numactl in front where that enforces the pin.

    `--preferred` takes one node only (numactl(8)), so several nodes have no policy unless bound.
    """
    pin = launch.pin
    if pin.form != "numactl" or not pin.nodes:
        return command
    nodes = str(CpuSet.of(pin.nodes))
    words = [launch.numactl, f"--cpunodebind={nodes}"]
    if pin.memory == "bind":
        words.append(f"--membind={nodes}")
    elif pin.memory == "preferred" and len(pin.nodes) == 1:
        words.append(f"--preferred={nodes}")
    return (*words, "--", *command)


def is_slice(gpu: LaunchGpu) -> bool:
    """Whether this is a MIG slice; drivers may not tell its profile, its UUID always does."""
    return gpu.profile is not None or gpu.uuid.startswith("MIG-")


def slices_alone(launch: Launch) -> tuple[Diagnostic, ...]:
    """The complaint about a slice among other GPUs.

    A process sees one compute instance of one MIG device, whatever the list of visible devices
    says ("CUDA_VISIBLE_DEVICES and MIG", NVIDIA Multi-Instance GPU User Guide).
    """
    if len(launch.gpus) < 2 or not any(is_slice(gpu) for gpu in launch.gpus):
        return ()
    names = ", ".join(gpu.uuid for gpu in launch.gpus)
    return (
        Diagnostic(
            "slice-among-gpus",
            f"{launch.group}: a process can use one MIG slice and nothing besides, planned are "
            f"{names}",
            hint="an instance of its own for each slice",
        ),
    )


def uuid_devices(launch: Launch) -> dict[str, str]:
    """Device variables by full UUID, for engines that take them (Ollama, llama.cpp).

    A MIG slice is named by its own UUID, which is the only name that CUDA takes for it.
    AMD: ROCR_VISIBLE_DEVICES alone; setting the numeric lists too makes Ollama rewrite them
    (ollama discover/runner.go). Without GPUs both are `-1`, Ollama's documented way to the CPU.
    """
    variables = {"CUDA_DEVICE_ORDER": DEVICE_ORDER}
    uuids = ",".join(gpu.uuid for gpu in launch.gpus)
    if not launch.gpus:
        variables["CUDA_VISIBLE_DEVICES"] = _NO_DEVICE
        variables["ROCR_VISIBLE_DEVICES"] = _NO_DEVICE
    elif launch.gpus[0].vendor == "amd":
        variables["ROCR_VISIBLE_DEVICES"] = uuids
    else:
        variables["CUDA_VISIBLE_DEVICES"] = uuids
    return variables


def merged(launch: Launch, own: Mapping[str, str]) -> dict[str, str]:
    """The env file's variables: ours, over the owner's (which may not name an owned one)."""
    return dict(sorted({**launch.env, **own}.items()))


def url(launch: Launch, path: str) -> str:
    return f"http://127.0.0.1:{launch.port}{path}"


def post(
    launch: Launch,
    path: str,
    body: Mapping[str, Any],
    token_at: tuple[str, ...],
    bearer: SecretReference | None = None,
    headers: Mapping[str, str] | None = None,
) -> Probe:
    """A request whose answer must hold one generated token; loading may take minutes."""
    return Probe(
        url=url(launch, path),
        method="POST",
        headers={"Content-Type": "application/json", **(headers or {})},
        body=json.dumps(body, ensure_ascii=False),
        token_at=token_at,
        timeout_seconds=600.0,
        bearer=bearer,
    )


def one_model(launch: Launch) -> tuple[Diagnostic, ...]:
    """The complaint of an engine that serves exactly one model."""
    if len(launch.models) == 1:
        return ()
    found = ", ".join(launch.models) or "none"
    return (
        Diagnostic(
            "one-model",
            f"{launch.group}: {launch.engine} serves exactly one model an instance, found {found}",
            hint="give `model:`; a further model is an instance of its own",
        ),
    )
