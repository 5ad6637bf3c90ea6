"""What stands in the units: read back the way systemd reads them."""

from __future__ import annotations

import dataclasses

import pytest

from provision.engines.launch import Launch, Pin
from provision.engines.registry import ENGINES, engine_named
from provision.host.quantity import CpuSet
from provision.render import paths
from provision.render.bundle import render
from provision.render.directives import SINCE, left_out
from provision.render.systemd import drop_in, template_unit

from . import plans
from .systemd_reader import read_command, read_paths

Unit = dict[str, list[tuple[str, str]]]


def read_unit(text: str) -> Unit:
    """Sections of a unit, their directives in order."""
    found: Unit = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line[1:-1]
            found.setdefault(section, [])
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[section].append((key, value))
    return found


def values(unit: Unit, section: str, key: str) -> list[str]:
    return [value for name, value in unit[section] if name == key]


def own(launch: Launch) -> Unit:
    return read_unit(drop_in(launch).content)


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_template_unit_is_the_common_policy(name: str) -> None:
    unit = read_unit(template_unit(name, plans.plan()).content)
    assert values(unit, "Service", "User") == [engine_named(name).user]
    assert values(unit, "Service", "ExecStart") == []
    guard = "/usr/bin/python3 -I /usr/local/lib/provision/host.pyz"
    assert values(unit, "Service", "ExecStartPre") == [f"+{guard} guard %i"]
    assert values(unit, "Service", "ExecStartPost") == [f"{guard} ready %i"]
    assert values(unit, "Service", "EnvironmentFile") == [
        "/etc/provision/instances/%i.env",
        "/etc/provision/instances/%i.digest",
        "-/run/provision/%i.env",
    ]
    assert int(values(unit, "Service", "TimeoutStartSec")[0]) > 1800 + 600
    assert values(unit, "Service", "MemoryDenyWriteExecute") == []
    assert "%I" not in template_unit(name, plans.plan()).content
    after = values(unit, "Unit", "After")[0].split()
    assert {"network-online.target", "nvidia-persistenced.service", paths.SETTINGS_UNIT} <= set(
        after
    )
    assert {key for key, _ in unit["Unit"]} >= {"StartLimitIntervalSec", "StartLimitBurst"}


@pytest.mark.parametrize("version", [None, 249, 252, 253, 254, 257])
def test_directives_that_this_systemd_does_not_know_are_left_out(version: int | None) -> None:
    text = template_unit("vllm", plans.plan(systemd=version)).content
    for directive, since in SINCE.items():
        assert (f"\n{directive}=" in text) is ((version or 249) >= since)
        said = any(note.startswith(f"{directive}=") for note in left_out(version))
        assert said is ((version or 249) < since)


def test_every_younger_directive_is_really_used() -> None:
    text = template_unit("vllm", plans.plan(systemd=max(SINCE.values()))).content
    assert [name for name in SINCE if f"\n{name}=" not in text] == []


def test_drop_in_holds_the_whole_command_after_an_empty_one() -> None:
    launch = plans.llama(args=("--alias", "a b$c%d"))
    commands = values(own(launch), "Service", "ExecStart")
    assert commands[0] == ""
    assert read_command(commands[1], {"c": "evil"}) == [
        list(engine_named("llama-server").command(launch))
    ]


@pytest.mark.parametrize(
    ("pin", "expected"),
    [
        (Pin(), []),
        (
            Pin("systemd", (0,), CpuSet.parse("2-15"), "preferred"),
            [
                ("CPUAffinity", "2-15"),
                ("AllowedCPUs", "2-15"),
                ("NUMAPolicy", "preferred"),
                ("NUMAMask", "0"),
            ],
        ),
        (
            Pin("systemd", (1,), CpuSet.parse("16-31"), "bind"),
            [
                ("CPUAffinity", "16-31"),
                ("AllowedCPUs", "16-31"),
                ("NUMAPolicy", "bind"),
                ("NUMAMask", "1"),
                ("AllowedMemoryNodes", "1"),
            ],
        ),
        (
            Pin("systemd", (0, 1), CpuSet.parse("0-31"), None, per_worker=True),
            [("CPUAffinity", "0-31"), ("AllowedCPUs", "0-31")],
        ),
        # systemd does not start a unit that prefers two nodes (242/NUMA)
        (
            Pin("systemd", (0, 1), CpuSet.parse("0-31"), "preferred"),
            [("CPUAffinity", "0-31"), ("AllowedCPUs", "0-31")],
        ),
        (
            Pin("systemd", (2, 0, 1), None, "bind"),
            [("NUMAPolicy", "bind"), ("NUMAMask", "0-2"), ("AllowedMemoryNodes", "0-2")],
        ),
        (Pin("numactl", (0,), CpuSet.parse("0-15"), "bind"), []),
    ],
)
def test_pins(pin: Pin, expected: list[tuple[str, str]]) -> None:
    names = ("CPUAffinity", "AllowedCPUs", "NUMAPolicy", "NUMAMask", "AllowedMemoryNodes")
    unit = own(plans.llama(pin=pin))
    assert [pair for pair in unit["Service"] if pair[0] in names] == expected


def test_numactl_stands_in_front_instead() -> None:
    launch = plans.vllm(pin=Pin("numactl", (0,), CpuSet.parse("0-15"), "preferred"))
    (words,) = read_command(values(own(launch), "Service", "ExecStart")[1], {})
    assert words[:4] == ["/usr/bin/numactl", "--cpunodebind=0", "--preferred=0", "--"]


@pytest.mark.parametrize(
    ("launch", "expected"),
    [
        (plans.vllm(), []),
        (plans.vllm(program="/home/ai/venv/bin/vllm"), [("ProtectHome", "read-only")]),
        (plans.llama(models=("/root/m.gguf",)), [("ProtectHome", "read-only")]),
        (plans.llama(models=("/homes/m.gguf",)), []),
        (plans.ollama(models_dir="/home/ai/models"), [("ProtectHome", "read-only")]),
        (plans.llama(models=("/tmp/m.gguf",)), [("PrivateTmp", "no")]),
        (plans.llama(python="/home/ai/.pyenv/bin/python3"), [("ProtectHome", "read-only")]),
    ],
)
def test_a_needed_path_is_never_hidden(launch: Launch, expected: list[tuple[str, str]]) -> None:
    unit = own(launch)
    assert [pair for pair in unit["Service"] if pair[0] in ("ProtectHome", "PrivateTmp")] == (
        expected
    )


def test_models_are_waited_for_and_can_be_written_where_the_engine_writes() -> None:
    unit = own(plans.ollama(models_dir="/srv/my models"))
    mounts = [read_paths(one) for one in values(unit, "Unit", "RequiresMountsFor")]
    assert ["/srv/my models"] in mounts
    (writable,) = values(unit, "Service", "ReadWritePaths")
    assert read_paths(writable) == ["-/srv/my models"]


def test_the_description_names_gpus_by_address() -> None:
    (text,) = values(own(plans.vllm()), "Unit", "Description")
    assert "0000:17:00.0 0000:18:00.0" in text and "chat.0" in text


def test_enabling_is_done_by_links() -> None:
    bundle = render(plans.two_sockets())
    links = {one.path: one.content for one in bundle.artifacts if one.kind == "link"}
    system = "/etc/systemd/system"
    assert links == {
        f"{system}/multi-user.target.wants/provision.target": f"{system}/provision.target",
        f"{system}/multi-user.target.wants/{paths.RECOVER_UNIT}": f"{system}/{paths.RECOVER_UNIT}",
        f"{system}/provision.target.wants/vllm@chat.0.service": f"{system}/vllm@.service",
        f"{system}/provision.target.wants/ollama@small.0.service": f"{system}/ollama@.service",
        f"{system}/provision.target.wants/ollama@small.1.service": f"{system}/ollama@.service",
        f"{system}/provision.target.wants/llama-server@deep.0.service": (
            f"{system}/llama-server@.service"
        ),
        f"{system}/provision.target.wants/{paths.SETTINGS_UNIT}": f"{system}/{paths.SETTINGS_UNIT}",
    }


def test_a_models_folder_is_made_only_where_systemd_leaves_an_existing_one_alone() -> None:
    for version, made in ((None, False), (251, False), (252, True)):
        bundle = render(dataclasses.replace(plans.two_sockets(), systemd=version))
        (folders,) = [one.content for one in bundle.artifacts if one.path == paths.TMPFILES]
        assert ("d /srv/ollama :0755 :ollama :ollama -" in folders) is made
        assert any("models_dir" in note for note in left_out(version)) is not made
