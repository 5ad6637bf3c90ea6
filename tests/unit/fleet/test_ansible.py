"""The modules under a real ansible-playbook: check, diff, changed, errors, secrets."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from .ansible_bed import KEY, Bed

SPEC: dict[str, Any] = {
    "version": 1,
    "instances": {
        "chat": {
            "engine": "llama-server",
            "model": "/srv/models/Llama-3.1-8B-Instruct-Q4_K_M.gguf",
            "gpus": 0,
            "context": 8192,
        }
    },
    "proxy": {"listen": "0.0.0.0:8443", "keys": {"file": "/etc/llm/keys"}},
}
DROP_IN = "etc/systemd/system/llama-server@chat.0.service.d/10-provision.conf"
INLINE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Inline
      provision_apply:
        bundle: "{{ inline }}"
        root: "{{ root }}"
"""
REMOVE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Remove
      provision_remove:
        root: "{{ root }}"
"""


def with_context(tokens: int) -> Mapping[str, Any]:
    spec = copy.deepcopy(SPEC)
    spec["instances"]["chat"]["context"] = tokens
    return spec


def files(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every path below a root with its content and the time of its last change."""
    return {
        str(path.relative_to(root)): (
            b"" if path.is_symlink() else path.read_bytes(),
            path.lstat().st_mtime_ns,
        )
        for path in sorted(root.rglob("*"))
        if (path.is_symlink() or path.is_file()) and path.name != "provision.lock"
    }


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def test_predict_apply_again_and_remove(bed: Bed) -> None:
    bed.spec("a", SPEC, "no-gpu")
    before = files(bed.root("a"))

    predicted = bed.play("--check", "--diff", "-vvv")
    assert predicted.code == 0, predicted.out
    assert predicted.recap("a")["changed"] == 1
    assert files(bed.root("a")) == before
    assert f"+++ after: /{DROP_IN} (0644)" in predicted.out
    assert "+ExecStart=" in predicted.out.replace(" ", "")
    assert KEY not in predicted.out

    bundle = Path(predicted.out.partition("bundle=")[2].split('"')[0])
    assert bundle.is_relative_to(bed.folder / "local-tmp")
    assert not bundle.parent.exists()

    applied = bed.play("--diff", "-vvv")
    assert applied.code == 0, applied.out
    assert applied.recap("a")["changed"] == 1
    assert (bed.root("a") / DROP_IN).is_file()
    keys = bed.root("a") / "etc/nginx/provision/keys.map"
    assert KEY in keys.read_text() and keys.stat().st_mode & 0o777 == 0o600
    assert KEY not in applied.out

    first = files(bed.root("a"))
    again = bed.play("--diff")
    assert again.code == 0 and again.recap("a")["changed"] == 0, again.out
    assert "+++" not in again.out
    assert files(bed.root("a")) == first

    gone = bed.play(text=REMOVE)
    assert gone.code == 0 and gone.recap("a")["changed"] == 1, gone.out
    assert set(files(bed.root("a"))) == set(before)
    assert bed.play(text=REMOVE).recap("a")["changed"] == 0
    assert not [one for one in (bed.folder / "remote-tmp").rglob("*") if one.is_file()]


def test_a_host_that_cannot_be_planned_or_applied_fails_alone(bed: Bed) -> None:
    bed.spec("a", SPEC, "no-gpu")
    bed.spec("b", {**SPEC, "instances": {"chat": {"engine": "llama-serve"}}}, "no-gpu")
    bed.spec("c", SPEC, "no-gpu")
    theirs = bed.root("c") / DROP_IN
    theirs.parent.mkdir(parents=True)
    theirs.write_text("[Service]\n# theirs\n")

    done = bed.play()
    assert done.code == 2
    assert done.recap("a")["failed"] == 0 and done.recap("a")["changed"] == 1
    assert done.recap("b")["failed"] == 1 and done.recap("c")["failed"] == 1
    assert "provision_spec of b:" in done.out and "did you mean" in done.out
    assert DROP_IN in done.out and '"outcome": "conflict"' in done.out
    assert theirs.read_text() == "[Service]\n# theirs\n"
    assert not (bed.root("c") / "etc/provision").exists()


def test_a_changed_spec_shows_as_a_diff_of_its_lines(bed: Bed) -> None:
    bed.spec("a", SPEC, "no-gpu")
    assert bed.play().code == 0
    bed.spec("a", with_context(4096), "no-gpu")
    done = bed.play("--check", "--diff")
    assert done.recap("a")["changed"] == 1
    removed = [line for line in done.out.splitlines() if line.startswith("-") and "8192" in line]
    added = [line for line in done.out.splitlines() if line.startswith("+") and "4096" in line]
    assert removed and added, done.out


def test_a_secret_in_a_bundle_is_never_shown(bed: Bed) -> None:
    bed.spec("a", SPEC, "no-gpu")
    secret = {"path": "/etc/provision/x.env", "content": f"KEY={KEY}\n", "mode": 0o600}
    plain = {"path": "/etc/provision/y", "content": "seen\n"}
    bundle = {
        "version": 1,
        "host": "a",
        "tool": "0",
        "artifacts": [{**secret, "secret": True}, plain],
    }
    (bed.folder / "inline.json").write_text(json.dumps({"inline": bundle}))
    extra = ("-e", f"@{bed.folder / 'inline.json'}", "--diff", "-vvv")
    for options in (("--check", *extra), extra):
        done = bed.play(*options, text=INLINE)
        assert done.code == 0, done.out
        assert done.recap("a")["changed"] == 1
        assert KEY not in done.out
        assert "/etc/provision/x.env" in done.out and "+seen" in done.out
    assert KEY in (bed.root("a") / "etc/provision/x.env").read_text()


@pytest.mark.parametrize(
    ("bundle", "said"),
    [("{", "this is no bundle"), ('{"version": 99, "artifacts": []}', "version is 99")],
)
def test_a_bundle_that_is_none_changes_nothing(bed: Bed, bundle: str, said: str) -> None:
    bed.spec("a", SPEC, "no-gpu")
    before = files(bed.root("a"))
    (bed.folder / "bundle.json").write_text(bundle)
    text = INLINE.replace('bundle: "{{ inline }}"', f"src: {bed.folder}/bundle.json")
    done = bed.play(text=text)
    assert done.recap("a")["failed"] == 1 and said in done.out
    assert files(bed.root("a")) == before
