"""guard: exactly the planned GPUs, their numbers of this boot, secrets in a root-only file."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from provision.host.bundle import GuardGpu, InstanceRuntime, SecretReference
from provision.host.errors import ProvisionError
from provision.host.quantity import PciAddress
from provision.host.unit.guard import env_file, missing, visible_devices
from tests.standin.build import table_text, uuid_of

from .agent import Agent

BUSES = ("0000:97:00.0", "0000:17:00.0", "0000:3d:00.0")  # NVML's own order: not PCI order


def gpu(bus: str) -> GuardGpu:
    return GuardGpu(uuid_of(bus), PciAddress.parse(bus))


def runtime(*gpus: GuardGpu, **more: object) -> InstanceRuntime:
    return InstanceRuntime(1, "chat.0", gpus, **more)  # type: ignore[arg-type]  # named by the tests


def guard(agent: Agent, wait: float = 0) -> subprocess.CompletedProcess[str]:
    return agent.code(
        "from provision_host.unit.guard import guard\n"
        f"try:\n    guard('chat.0', files, {wait})\n"
        "except ProvisionError as error:\n    sys.exit(str(error))\n"
    )


def written(agent: Agent) -> str | None:
    content = agent.files.read("/run/provision/chat.0.env")
    return None if content is None else content.decode()


def test_numbers_are_of_pci_order_in_the_instances_own_order(agent: Agent) -> None:
    agent.table(table_text(BUSES))
    wanted = runtime(gpu(BUSES[0]), gpu(BUSES[1]), visible_devices_variable="CUDA_VISIBLE_DEVICES")
    agent.put("/etc/provision/instances/chat.0.json", wanted)
    ran = guard(agent)
    assert ran.returncode == 0, ran.stderr
    assert written(agent) == 'CUDA_VISIBLE_DEVICES="2,0"\n'
    mode = agent.files.at("/run/provision/chat.0.env").stat().st_mode
    assert mode & 0o777 == 0o600


def test_missing_gpu_names_it_and_those_present(agent: Agent) -> None:
    agent.table(table_text(BUSES[1:]))
    agent.put("/etc/provision/instances/chat.0.json", runtime(gpu(BUSES[0])))
    ran = guard(agent)
    assert ran.returncode == 1
    assert uuid_of(BUSES[0]) in ran.stderr and "present:" in ran.stderr
    assert uuid_of(BUSES[1]) in ran.stderr
    assert written(agent) is None


def test_no_driver_is_said_and_waited_for(agent: Agent) -> None:
    agent.table(None)
    agent.put("/etc/provision/instances/chat.0.json", runtime(gpu(BUSES[0])))
    ran = guard(agent)
    assert ran.returncode == 1 and "driver" in ran.stderr
    late = agent.code(
        "import threading, shutil\n"
        "from provision_host.unit.guard import guard\n"
        f"path, text = {str(agent.folder / 'table.tsv')!r}, {table_text(BUSES)!r}\n"
        "put = lambda: Path(path).write_text(text)\n"
        "threading.Timer(1.5, put).start()\n"
        "guard('chat.0', files, 20)\n"
    )
    assert late.returncode == 0, late.stderr


def test_a_card_that_moved_is_refused() -> None:
    there = (GuardGpu("GPU-a", PciAddress.parse("0000:3d:00.0")),)
    planned = (GuardGpu("GPU-a", PciAddress.parse("0000:17:00.0")),)
    said = missing(planned, there)
    assert said and "0000:3d:00.0" in said and "0000:17:00.0" in said
    assert missing(there, there) is None


def test_without_gpus_no_driver_is_asked_and_stale_files_go(agent: Agent) -> None:
    agent.table(None)
    agent.put("/etc/provision/instances/chat.0.json", runtime())
    agent.files.write("/run/provision/chat.0.env", b"OLD=1\n", 0o600)
    ran = agent.verb("guard", "chat.0")
    assert ran.returncode == 0, ran.stderr
    assert written(agent) is None


def test_secrets_lose_one_newline_and_nothing_else(agent: Agent) -> None:
    agent.files.write("/etc/llm/key", b'a $b "c" \\d `e` %f # \xc3\xa9 \n', 0o600)
    secrets = {"VLLM_API_KEY": SecretReference("/etc/llm/key")}
    agent.put("/etc/provision/instances/chat.0.json", runtime(secrets=secrets))
    ran = agent.verb("guard", "chat.0")
    assert ran.returncode == 0 and ran.stderr == ""
    assert written(agent) == 'VLLM_API_KEY="a \\$b \\"c\\" \\\\d \\`e\\` %f # é "\n'
    assert "é" not in ran.stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo\n", "control character"),
        (b"a\0b", "control character"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_unusable_secrets_stop_the_start(agent: Agent, content: bytes | None, said: str) -> None:
    if content is not None:
        agent.files.write("/etc/llm/key", content, 0o600)
    secrets = {"VLLM_API_KEY": SecretReference("/etc/llm/key")}
    agent.put("/etc/provision/instances/chat.0.json", runtime(secrets=secrets))
    ran = agent.verb("guard", "chat.0")
    assert ran.returncode == 1 and said in ran.stderr
    assert written(agent) is None


def test_open_secret_file_is_warned_of_at_start(agent: Agent) -> None:
    agent.files.write("/etc/llm/key", b"secret-value", 0o644)
    secrets = {"VLLM_API_KEY": SecretReference("/etc/llm/key")}
    agent.put("/etc/provision/instances/chat.0.json", runtime(secrets=secrets))
    ran = agent.verb("guard", "chat.0")
    assert ran.returncode == 0 and "chmod 600 /etc/llm/key" in ran.stderr


def test_names_and_values_that_no_line_can_hold() -> None:
    with pytest.raises(ProvisionError):
        env_file({"A": "x\ny"})
    with pytest.raises(ProvisionError):
        env_file({"A B": "x"})


def test_visible_devices_without_the_gpu_is_an_error() -> None:
    with pytest.raises(ValueError, match="GPU-x"):
        visible_devices((GuardGpu("GPU-x", PciAddress.parse("0000:01:00.0")),), ())


_root = pytest.mark.skipif(os.geteuid() != 0, reason="the driver lets root alone set")


def settings(agent: Agent, **wanted: object) -> subprocess.CompletedProcess[str]:
    plain = {"uuid": uuid_of(BUSES[0]), "address": BUSES[0], **wanted}
    text = json.dumps({"version": 1, "gpus": [plain]})
    agent.files.write("/etc/provision/gpu-settings.json", text.encode())
    return agent.verb("gpu-settings")


@_root
def test_gpu_settings_are_set_once_and_read_back(agent: Agent) -> None:
    agent.table(table_text(BUSES))
    first = settings(agent, persistence=True, power_limit_watts=300.0)
    assert first.returncode == 0, first.stderr
    assert "persistence on, power limit 300 W" in first.stdout
    again = settings(agent, persistence=True, power_limit_watts=300.0)
    assert again.returncode == 0 and "holds already" in again.stdout


@_root
def test_gpu_setting_out_of_range_or_of_a_missing_card(agent: Agent) -> None:
    agent.table(table_text(BUSES))
    ran = settings(agent, power_limit_watts=9000.0)
    assert ran.returncode == 1 and "outside of 200 to 700 W" in ran.stderr
    ran = settings(agent, uuid="GPU-00000000-0000-0000-0000-000000000000", persistence=True)
    assert ran.returncode == 1 and "GPU-00000000" in ran.stderr


@_root
def test_a_refused_setting_is_not_taken_for_done(agent: Agent) -> None:
    error = "error\tcall=nvmlDeviceSetPowerManagementLimit\tgpu=*\tcode=4"
    agent.table(table_text(BUSES, more=[error]))
    ran = settings(agent, power_limit_watts=300.0)
    assert ran.returncode == 1 and "could not set the power limit" in ran.stderr
