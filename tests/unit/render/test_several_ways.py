"""What is rendered for splits, slices, draft models and quantised caches, as systemd reads it."""

from __future__ import annotations

import json

from provision.host.bundle import Bundle
from provision.render.bundle import render

from . import plans
from .systemd_reader import read_command, read_env_file

SLICE = "MIG-4c60d78c-506f-5593-938d-a136eaa1fa52"


def text(bundle: Bundle, path: str) -> str:
    return next(one.content for one in bundle.artifacts if one.path == path)


def drop_in(bundle: Bundle, unit: str) -> str:
    return text(bundle, f"/etc/systemd/system/{unit}.service.d/10-provision.conf")


def command(bundle: Bundle, unit: str) -> list[str]:
    lines = drop_in(bundle, unit).replace("\\\n", " ").splitlines()
    start = [one.partition("=")[2] for one in lines if one.startswith("ExecStart=")][-1]
    (words,) = read_command(start, {"HOME": "/nowhere"})
    return words


def variables(bundle: Bundle, name: str) -> dict[str, str]:
    return read_env_file(text(bundle, f"/etc/provision/instances/{name}.env"))


def after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_a_draft_model_passes_systemd_unchanged() -> None:
    bundle = render(plans.several_ways())
    given = after(command(bundle, "vllm@chat.0"), "--speculative-config")
    draft = 'org/a "small" %h $HOME'
    assert json.loads(given) == {"model": draft, "num_speculative_tokens": 5}
    assert after(command(bundle, "llama-server@deep.0"), "--model-draft") == (
        "/home/ai/small model.gguf"
    )


def test_a_draft_model_below_home_is_not_hidden() -> None:
    found = drop_in(render(plans.several_ways()), "llama-server@deep.0")
    assert "ProtectHome=read-only" in found
    assert '"/home/ai/small model.gguf"' in found  # its file system is mounted first


def test_splits() -> None:
    bundle = render(plans.several_ways())
    assert variables(bundle, "chat.0")["VLLM_PP_LAYER_PARTITION"] == "38,42"
    words = command(bundle, "llama-server@deep.0")
    assert after(words, "--tensor-split") == "12,9"
    assert after(words, "--cache-type-v") == "q4_0"


def test_slices_by_uuid_alone() -> None:
    bundle = render(plans.several_ways())
    for name in ("tiny.0", "sliced.0"):
        assert variables(bundle, name)["CUDA_VISIBLE_DEVICES"] == SLICE
        one = next(one for one in bundle.instances if one.name == name)
        assert one.runtime.visible_devices_variable is None
        assert [(gpu.uuid, str(gpu.address)) for gpu in one.runtime.gpus] == [
            (SLICE, "0000:17:00.0")
        ]
        assert one.expectation.gpus == one.placed.gpus == (SLICE,)
        assert one.expectation.environment["CUDA_VISIBLE_DEVICES"] == SLICE
    assert "on 1g.10gb of 0000:17:00.0, port 11436" in drop_in(bundle, "ollama@tiny.0")
