"""apply, diff, render and plan of a saved plan: exactly that, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.host.document import loads
from provision.host.errors import Exit
from provision.host.report import ApplyResult
from provision.plan.plan import Plan

from .conftest import FACTS, SPEC, Call


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """The article's host.yaml where it may be changed."""
    path = tmp_path / "host.yaml"
    path.write_bytes(Path(SPEC).read_bytes())
    return path


@pytest.fixture
def saved(call: Call, tmp_path: Path, spec: Path) -> Path:
    path = tmp_path / "a plan"  # known by its content, not its name
    assert call("plan", spec, "--facts", FACTS, "-o", path).code == 0
    return path


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "var/lib/provision" not in str(path)
    }


def test_it_says_what_it_was_made_from(saved: Path, spec: Path) -> None:
    source = loads(Plan, saved.read_bytes()).source
    assert source is not None and source.spec == str(spec)
    assert "/var/lib/ollama/models" in source.request.paths
    assert {"gpus", "engines", "nginx", "system"} <= source.stable.keys()


def test_it_renders_byte_for_byte_what_planning_gives(
    call: Call, saved: Path, spec: Path, tmp_path: Path
) -> None:
    assert call("render", spec, "--facts", FACTS, "-o", tmp_path / "planned").code == 0
    said = call("render", saved, "-o", tmp_path / "saved")
    assert (said.code, said.err) == (0, "")
    assert len(files(tmp_path / "planned")) > 20
    assert files(tmp_path / "saved") == files(tmp_path / "planned")


def test_apply_carries_out_the_same_as_the_spec(
    call: Call, saved: Path, spec: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    assert call("diff", saved, "--root", root).code == Exit.DIFFERS
    said = call("apply", saved, "--root", root, "--yes")
    assert (said.code, said.out.splitlines()[0]) == (0, "gpu-box-1"), said.err
    again = call("apply", spec, "--facts", FACTS, "--root", root, "--yes", "--json")
    assert not loads(ApplyResult, again.out).changed
    assert call("diff", saved, "--root", root).code == 0


@pytest.mark.parametrize("command", [("apply", "--yes"), ("apply", "--check"), ("diff",)])
def test_a_spec_that_has_changed_is_refused(
    call: Call, saved: Path, spec: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    spec.write_text(spec.read_text() + "# one more word\n")
    said = call(*command, saved, "--root", tmp_path / "root")
    assert said.code == Exit.ERROR
    assert f"{spec} has changed since {saved} was made of it" in said.err
    assert f"hint: plan again: provision plan {spec} -o {saved}" in said.err
    assert not (tmp_path / "root").exists()


def test_a_plan_that_came_alone_is_applied_with_a_note(
    call: Call, saved: Path, spec: Path, tmp_path: Path
) -> None:
    spec.unlink()
    said = call("apply", saved, "--root", tmp_path / "root", "--yes")
    assert said.code == 0
    assert f"note: {spec}, of which {saved} was made, is not here" in said.err


def test_facts_that_differ_are_refused_by_name(call: Call, saved: Path, tmp_path: Path) -> None:
    plain = json.loads(Path(FACTS).read_text())
    gone = plain["stable"]["gpus"].pop(0)
    plain["stable"]["system"]["systemd"] = 255
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps(plain))
    said = call("diff", saved, "--facts", facts, "--root", tmp_path / "root")
    assert said.code == Exit.ERROR
    assert f"{gone['uuid']} of small.0 is gone" in said.err
    assert "the system: systemd 252 then, 255 now" in said.err
    assert call("diff", saved, "--facts", FACTS, "--root", tmp_path / "root").code == Exit.DIFFERS


def test_the_live_machine_is_compared() -> None:
    """decide() is asked, since the command itself demands root on the live host."""
    from provision import pipeline
    from provision.cli.saved import compare_facts
    from provision.host.errors import ProvisionError

    read = pipeline.read(Path(SPEC).read_bytes(), SPEC)
    facts = pipeline.inspect(read.spec)
    from provision.host.facts import Facts

    recorded = loads(Facts, Path(FACTS).read_bytes())
    made = pipeline.sourced(
        pipeline.plan(read, recorded), SPEC, Path(SPEC).read_bytes(), read, recorded
    )
    assert made.source is not None
    with pytest.raises(ProvisionError, match="host name gpu-box-1 then"):
        compare_facts(made, made.source, facts, "plan.json", strict=True)
    here = pipeline.sourced(made, SPEC, b"", read, facts).source
    assert here is not None
    again = pipeline.inspect(here.request)
    compare_facts(made, here, again, "plan.json", strict=True)


def test_plan_shows_a_saved_plan_and_only_remarks_on_its_age(
    call: Call, saved: Path, spec: Path
) -> None:
    said = call("plan", saved)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("gpu-box-1\n\n  instance")
    assert said.out.endswith(f"On gpu-box-1: provision apply {saved}\n")
    assert call("plan", saved, "--json").out == saved.read_text()
    spec.write_text("version: 1\n")
    assert "warning: " in call("plan", saved).err
    refused = call("plan", saved, "--replan")
    assert refused.code == Exit.ERROR and "--replan needs a host.yaml" in refused.err


def test_damaged_and_foreign_plans(call: Call, saved: Path, tmp_path: Path) -> None:
    text = saved.read_text()
    saved.write_text(text[: len(text) // 2])
    said = call("apply", saved, "--root", tmp_path, "--yes")
    assert said.code == Exit.ERROR
    assert "error: this saved plan is damaged" in said.err and f"{saved}:" in said.err
    saved.write_text(text.replace('"version": 1', '"version": 99', 1))
    assert "a plan of version 99" in call("apply", saved, "--root", tmp_path, "--yes").err
    plain = json.loads(text)
    plain["source"] = None
    saved.write_text(json.dumps(plain))
    assert "does not say what it was made from" in call("diff", saved, "--root", tmp_path).err
