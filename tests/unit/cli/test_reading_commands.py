"""inspect, plan, render, schema: what people see, what programs get."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml

from provision import pipeline
from provision.cli.host_line import host_line
from provision.host.document import loads
from provision.host.errors import Exit, ProvisionError
from provision.host.facts import Facts
from provision.host.files import Files
from provision.plan.plan import Plan

from .conftest import ARTICLE, CHECKOUT, FACTS, PLANNED, SPEC, Call

HOSTS = sorted(path.parent for path in (CHECKOUT / "tests/golden/hosts").glob("*/facts.json"))


def test_plan_screen_says_all(call: Call) -> None:
    said = call("plan", *PLANNED)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == (
        "gpu-box-1: 2 sockets, 2 NUMA nodes, 4x RTX 3090 24 GiB (NVLink 0-1, 2-3), driver 580.95.05"
    )
    head = ["instance", "engine", "model", "GPUs", "split", "node", "cores", "VRAM"]
    assert lines[2].split()[:8] == head
    row = next(line for line in lines if line.startswith("  large.0 ")).split()
    assert row[2].startswith("llama3.1:70b-instr")
    assert [*row[:2], *row[3:6]] == ["large.0", "ollama", "2", "3", "layers"]
    assert row[6] == "1" and row[-1] == "11436"
    assert any(line.split() == ["127.0.0.1:8080", "/large/", "large.0"] for line in lines)
    assert "  GPU settings  4 GPUs: persistence on, power limit 300 W" in lines
    assert "Why" in lines
    assert lines[-1] == f"Nothing has been changed.  On gpu-box-1: provision apply {SPEC}"


@pytest.mark.parametrize("host", HOSTS, ids=lambda path: path.name)
def test_plan_is_whole_at_100_columns(call: Call, host: Path) -> None:
    said = call("plan", host / "host.yaml", "--facts", host / "facts.json")
    assert said.code == 0
    wide = [line for line in said.out.splitlines()[:-1] if len(line) > 100]
    assert wide == []


def test_plan_document_is_the_plan_itself(call: Call, tmp_path: Path) -> None:
    said = call("plan", *PLANNED, "--json")
    read = pipeline.read(Path(SPEC).read_text(), SPEC)
    facts = loads(Facts, Path(FACTS).read_text())
    plan = loads(Plan, said.out)
    assert plan.source is not None and plan.source.spec == SPEC
    assert replace(plan, source=None) == pipeline.plan(read, facts)
    output = tmp_path / "plan.json"
    filed = call("plan", *PLANNED, "-o", output)
    assert (filed.out, filed.err) == ("", f"wrote {output}\n")
    assert output.read_text() == said.out


def test_output_that_cannot_be_written(call: Call, tmp_path: Path) -> None:
    output = tmp_path / "none/plan.json"
    said = call("plan", *PLANNED, "-o", output)
    assert said.code == Exit.ERROR
    assert said.err == f"error: {output}: No such file or directory\n"


def test_facts_of_inspect_are_read_by_plan(call: Call, tmp_path: Path) -> None:
    output = tmp_path / "facts.json"
    assert call("inspect", "--spec", SPEC, "-o", output).code == 0
    facts = loads(Facts, output.read_text())
    assert "/var/lib/ollama/models" in [one.path for one in facts.stable.paths]
    said = call("plan", SPEC, "--facts", output)
    assert "Traceback" not in said.err and said.code in (0, 1)


def test_inspect_shows_this_machine(call: Call) -> None:
    said = call("inspect")
    facts = loads(Facts, call("inspect", "--json").out)
    assert said.code == 0
    assert said.out.startswith(f"{facts.stable.system.hostname}: ")
    assert "software" in said.out


def test_inspect_of_a_recorded_tree(call: Call, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hostname").write_text("recorded-1\n")
    said = call("inspect", "--sysroot", tmp_path)
    assert said.code == 0
    assert said.out.startswith("recorded-1: ")
    assert "Traceback" not in said.err


@pytest.mark.parametrize("host", HOSTS, ids=lambda path: path.name)
def test_inspect_screen_of_every_recorded_host(
    host: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from provision.cli.facts_screen import show_facts

    facts = loads(Facts, (host / "facts.json").read_text())
    show_facts(facts)
    out = capsys.readouterr().out
    for gpu in facts.stable.gpus:
        assert gpu.uuid in out and str(gpu.address) in out
    for node in facts.stable.numa_nodes:
        assert str(node.cpus) in out
    assert [line for line in out.splitlines() if len(line) > 100 and "/" not in line] == []
    assert "None" not in out


def test_host_line_leaves_out_what_is_unknown() -> None:
    facts = loads(Facts, '{"version": 1, "stable": {"system": {"hostname": "bare"}}}')
    assert host_line(facts) == "bare: no GPU"


def test_render_writes_the_golden_tree(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = call("render", *PLANNED, "-o", out)
    assert said.code == 0
    expected = ARTICLE / "expected"
    for path in expected.rglob("*"):
        name = path.relative_to(expected)
        if path.is_file() and path.name != "MANIFEST":
            assert (out / name).read_bytes() == path.read_bytes(), name
    assert (out / "etc/provision/instances/small.0.env").stat().st_mode & 0o777 == 0o600
    assert "│   ├── ollama@.service" in said.out or "├── ollama@.service" in said.out
    assert said.out.splitlines()[-1] == "26 files, 7 links"


def test_render_again_takes_away_what_is_stale(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("render", *PLANNED, "-o", out).code == 0
    spec = tmp_path / "host.yaml"
    plain = yaml.safe_load(Path(SPEC).read_text())
    del plain["proxy"]
    spec.write_text(yaml.safe_dump(plain))
    assert call("render", spec, "--facts", FACTS, "-o", out).code == 0
    assert not (out / "etc/nginx").exists()
    assert (out / "etc/systemd/system/ollama@.service").exists()


def test_render_refuses_a_folder_of_somebody_else(call: Call, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    said = call("render", *PLANNED, "-o", tmp_path)
    assert said.code == Exit.ERROR
    assert "holds thesis.tex, which render did not write" in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.tex"]


def test_schema_accepts_the_examples(call: Call) -> None:
    said = call("schema")
    validator = jsonschema.Draft7Validator(json.loads(said.out))
    assert said.code == 0
    validator.validate(yaml.safe_load(Path(SPEC).read_text()))
    assert not validator.is_valid({"version": 1, "instances": {"a": {"engine": "vlm"}}})


def test_hostile_names_cannot_drive_the_terminal(call: Call, tmp_path: Path) -> None:
    """A machine's own words (host name, GPU names) are shown escaped."""
    plain = json.loads(Path(FACTS).read_text())
    plain["stable"]["system"]["hostname"] = "a\x1b]0;owned\x07\u202eb"
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps(plain))
    said = call("plan", SPEC, "--facts", facts)
    assert said.out.startswith("a\\x1b]0;owned\\x07\\u202eb: ")
    assert not {"\x1b", "\x07", "\u202e"} & set(said.out + said.err)


def test_facts_of_another_machine_are_not_applied_here() -> None:
    """Only a scratch root may get another machine's plan."""
    from provision.cli.decide import decide

    with pytest.raises(ProvisionError, match="about this machine as it is now: host name gpu-box"):
        decide(Path(SPEC), Path(FACTS), Files())
    assert decide(Path(SPEC), Path(FACTS), Files(Path("/nonexistent"))).plan.host == "gpu-box-1"
