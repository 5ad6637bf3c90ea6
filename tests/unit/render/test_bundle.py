"""The Bundle as a whole: same plan, same bytes; digests that tell restarts; what verify is told."""

from __future__ import annotations

import dataclasses

import pytest

from provision.engines.launch import Pin
from provision.host.bundle import Bundle, GpuSettings, InstanceRuntime, SecretReference
from provision.host.document import dumps, loads
from provision.host.quantity import CpuSet
from provision.plan.plan import Plan
from provision.render import paths
from provision.render.bundle import render

from . import plans
from .systemd_reader import read_env_file


def content(bundle: Bundle, path: str) -> str:
    (found,) = [one.content for one in bundle.artifacts if one.path == path]
    return found


def digests(plan: Plan) -> dict[str, str]:
    return {one.name: one.digest for one in render(plan).instances}


@pytest.mark.parametrize("name", sorted(plans.ALL))
def test_same_plan_same_bytes_sorted_and_readable(name: str) -> None:
    bundle = render(plans.ALL[name]())
    assert dumps(bundle) == dumps(render(plans.ALL[name]()))
    assert loads(Bundle, dumps(bundle)) == bundle
    written = [one.path for one in bundle.artifacts]
    assert written == sorted(set(written))
    for one in bundle.artifacts:
        assert one.kind == "link" or (one.content.endswith("\n") and "\n\n\n" not in one.content)
        assert not one.content.endswith("\n\n"), one.path


def test_the_digest_is_in_the_environment_and_in_the_expectation() -> None:
    bundle = render(plans.two_sockets())
    for one in bundle.instances:
        text = content(bundle, paths.digest_file(one.name))
        assert read_env_file(text) == {"PROVISION_DIGEST": one.digest}
        assert one.expectation.environment["PROVISION_DIGEST"] == one.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"env": {"X": "1"}},
        {"args": ("--enforce-eager",)},
        {"pin": Pin()},
        {"secrets": {"VLLM_API_KEY": SecretReference("/etc/key")}},
        {"gpus": (plans.gpu(0), plans.gpu(3))},
    ],
)
def test_whatever_needs_a_restart_changes_that_digest_alone(changes: dict[str, object]) -> None:
    others = (plans.vllm("chat.1", port=8001), plans.ollama())
    before = digests(plans.plan(plans.vllm(), *others))
    after = digests(plans.plan(plans.vllm("chat.0", **changes), *others))
    assert {name for name in before if before[name] != after[name]} == {"chat.0"}


def test_what_others_do_restarts_nobody() -> None:
    """A new neighbour, a proxy, GPU settings, a takeover: the running instance stays."""
    alone = digests(plans.plan(plans.llama()))["deep.0"]
    assert digests(plans.two_sockets())["deep.0"] == alone


def test_a_new_policy_restarts_every_instance_of_the_engine() -> None:
    before = digests(plans.plan(plans.llama(), systemd=252))
    assert before != digests(plans.plan(plans.llama(), systemd=254))


def test_expectation_of_a_systemd_pin() -> None:
    expectation = render(plans.plan(plans.ollama())).instances[0].expectation
    assert expectation.cpus == CpuSet.parse("18-23") and expectation.hard_cpuset
    assert (expectation.memory_policy, expectation.memory_nodes) == ("bind", (1,))
    assert expectation.gpus == (plans.UUIDS[2],)
    assert expectation.environment["CUDA_VISIBLE_DEVICES"] == plans.UUIDS[2]
    assert expectation.port == 11434


def test_expectation_without_a_pin() -> None:
    expectation = render(plans.plan(plans.llama())).instances[0].expectation
    assert expectation.cpus is None and not expectation.hard_cpuset
    assert (expectation.memory_policy, expectation.memory_nodes) == (None, ())


def test_expectation_of_numactl_is_no_cpuset() -> None:
    pin = Pin("numactl", (0,), CpuSet.parse("0-15"), "bind")
    expectation = render(plans.plan(plans.vllm(pin=pin))).instances[0].expectation
    assert expectation.cpus == CpuSet.parse("0-15") and not expectation.hard_cpuset
    assert expectation.memory_policy == "bind"


def test_runtime_document_is_what_guard_reads() -> None:
    bundle = render(plans.plan(plans.vllm()))
    runtime = loads(InstanceRuntime, content(bundle, paths.runtime_file("chat.0")))
    assert runtime == bundle.instances[0].runtime
    assert [gpu.uuid for gpu in runtime.gpus] == list(plans.UUIDS[:2])
    assert runtime.visible_devices_variable == "CUDA_VISIBLE_DEVICES"


def test_env_file_is_roots_alone_and_reads_back() -> None:
    bundle = render(plans.plan(plans.vllm(env={"NOTE": 'a $b %c "d"\n\\'})))
    (env,) = [one for one in bundle.artifacts if one.path == paths.env_file("chat.0")]
    assert env.mode == 0o600
    read = read_env_file(env.content)
    assert read["NOTE"] == 'a $b %c "d"\n\\'
    assert read["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_gpu_settings_by_uuid_and_the_order_for_shells() -> None:
    bundle = render(plans.two_sockets())
    document = loads(GpuSettings, content(bundle, paths.SETTINGS_FILE))
    assert document == bundle.gpu_settings
    assert {one.power_limit_watts for one in document.gpus} == {300.0}
    assert "export CUDA_DEVICE_ORDER=PCI_BUS_ID\n" in content(bundle, paths.PROFILE)


def test_the_settings_unit_prepares_gpus_even_without_settings() -> None:
    bundle = render(plans.plan(plans.vllm()))
    assert bundle.gpu_settings is None
    assert loads(GpuSettings, content(bundle, paths.SETTINGS_FILE)).gpus == ()
    assert "nvidia-modprobe" in content(bundle, f"{paths.UNITS}/{paths.SETTINGS_UNIT}")
    on_cpu = {one.path for one in render(plans.plan(plans.llama())).artifacts}
    assert not on_cpu & {paths.SETTINGS_FILE, f"{paths.UNITS}/{paths.SETTINGS_UNIT}"}


def test_secrets_never_stand_in_an_artifact() -> None:
    bundle = render(plans.guarded())
    assert bundle.key_maps[0].source == "/etc/llm/keys"
    written = {one.path for one in bundle.artifacts}
    assert bundle.key_maps[0].target not in written
    for one in bundle.artifacts:
        if one.path != paths.runtime_file("chat.0"):
            assert "/etc/llm/key" not in one.content, one.path


def test_probes_through_the_proxy() -> None:
    guarded = render(plans.guarded())
    probe = guarded.instances[0].through_proxy
    assert probe and probe.url == "http://127.0.0.1:8443/v1/completions"
    assert probe.bearer == SecretReference("/etc/llm/keys")
    assert guarded.nginx and guarded.nginx.health
    assert guarded.nginx.listens == ("0.0.0.0:8443", "10.0.0.5:9000", "[::]:8443")
    small = render(plans.two_sockets()).instances[1].through_proxy
    assert small and small.url == "http://127.0.0.1:8088/small/api/generate"
    assert "Host" not in small.headers
    assert render(plans.small_host()).instances[0].through_proxy is None


def test_no_probe_through_a_proxy_that_does_not_let_it_pass() -> None:
    launch = plans.vllm()
    plan = plans.two_sockets()
    assert plan.proxy
    closed = dataclasses.replace(plans.route("root", "/", launch), paths=("/v1/models",))
    proxy = dataclasses.replace(plan.proxy, routes=(closed,))
    assert render(plans.plan(launch, proxy=proxy)).instances[0].through_proxy is None


def test_users_and_takeover() -> None:
    bundle = render(plans.two_sockets())
    assert bundle.users == ("llama-server", "ollama", "vllm")
    assert bundle.takeover == ("ollama.service",)
