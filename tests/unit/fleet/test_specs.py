"""Where a host's spec comes from, and what is said when it cannot be had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.fleet import specs
from provision.host.errors import ProvisionError
from provision.spec.read import read_spec

SPEC = {
    "version": 1,
    "instances": {
        "chat": {
            "engine": "llama-server",
            "model": "/srv/m.gguf",
            "gpus": 0,
            "env": {"A": "no: #x"},
        }
    },
    "proxy": {"listen": 8080},
}


def test_a_mapping_reads_back_as_the_same_spec() -> None:
    text = specs.spec_text("gpu-01", SPEC, None, None)
    assert text is not None and text.name == "provision_spec of gpu-01"
    spec = read_spec(text.text, text.name).spec
    assert spec.instances["chat"].env == {"A": "no: #x"}
    assert spec.proxy is not None and spec.proxy.listen == 8080


def test_a_mistake_in_a_mapping_names_the_host_and_the_line() -> None:
    wrong = {**SPEC, "proxy": {"listen": 70000}}
    text = specs.spec_text("gpu-01", wrong, None, None)
    assert text is not None
    with pytest.raises(ProvisionError) as caught:
        read_spec(text.text, text.name)
    said = str(caught.value)
    assert said.startswith("provision_spec of gpu-01:") and "listen: 70000" in said


def test_a_file_is_relative_to_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("version: 1\n")
    text = specs.spec_text("gpu-01", None, "one.yaml", str(tmp_path))
    assert text == specs.SpecText("version: 1\n", str(tmp_path / "one.yaml"))


@pytest.mark.parametrize(
    ("spec", "spec_file", "rule"),
    [
        (SPEC, "one.yaml", "two-specs"),
        (["version"], None, "bad-spec"),
        ({"version": object()}, None, "bad-spec"),
        (None, "missing.yaml", "unreadable"),
        (None, ".", "unreadable"),
    ],
)
def test_what_is_refused(tmp_path: Path, spec: object, spec_file: str | None, rule: str) -> None:
    with pytest.raises(ProvisionError) as caught:
        specs.spec_text("gpu-01", spec, spec_file, str(tmp_path))
    assert [one.rule for one in caught.value.diagnostics] == [rule]
    assert "gpu-01" in str(caught.value) or rule == "bad-spec"


def test_a_host_without_a_spec_is_told_how_to_get_one() -> None:
    assert specs.spec_text("gpu-01", None, None, None) is None
    with pytest.raises(ProvisionError, match=r"host_vars/gpu-01\.yaml"):
        specs.needed("gpu-01", None)


@pytest.mark.parametrize("host", ["../../etc/cron.d/x", "..", ".", "a/b", "gpu 1", "[fe80::1]"])
def test_no_host_name_leads_out_of_the_folder(tmp_path: Path, host: str) -> None:
    path = tmp_path / specs.file_name(host)
    path.write_text("{}")
    assert [one.resolve() for one in tmp_path.iterdir()] == [path]


def test_recorded_facts(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"version": 1}))
    (tmp_path / "b.json").write_text("{")
    assert specs.recorded_facts(tmp_path, "a") == {"version": 1}
    with pytest.raises(ProvisionError, match=r"b\.json: not JSON"):
        specs.recorded_facts(tmp_path, "b")
    with pytest.raises(ProvisionError, match="--facts-dir"):
        specs.recorded_facts(tmp_path, "c")
