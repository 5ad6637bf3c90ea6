"""The README's screens are what the commands print."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
README = CHECKOUT / "README.md"
HOST = CHECKOUT / "tests/golden/hosts/ten-lines"
TOO_LARGE = """\
version: 1
instances:
  chat:
    engine: llama-server
    model: /srv/models/Llama-3.3-70B-Instruct-Q4_K_M.gguf
    context: 32768
"""
PAIR = CHECKOUT / "tests/golden/plans/seventy-billion-long-context"
WRONG = """\
version: 1
instances:
  chat:
    engine: vlm
    model: casperhansen/llama-3.3-70b-instruct-awq
    contxt: 8192
    port: 0644
proxy:
  listen: 0.0.0.0:8080
"""


def test_the_host_yaml_is_the_example() -> None:
    text = (HOST / "host.yaml").read_text()
    assert f"```yaml\n{text}```" in README.read_text()
    assert (CHECKOUT / "examples/ten-lines.yaml").read_text().endswith(text)
    assert len(text.splitlines()) <= 10


@pytest.mark.parametrize(
    ("mark", "words", "facts", "spec", "code"),
    [
        ("plan", "plan host.yaml", HOST, None, 0),
        ("error", "plan host.yaml", None, WRONG, 1),
        ("no-fit", "plan host.yaml", PAIR, TOO_LARGE, 1),
        ("fit", "fit llama3.3:70b --context 16384", HOST, None, 0),
    ],
)
def test_screens(
    mark: str,
    words: str,
    facts: Path | None,
    spec: str | None,
    code: int,
    tmp_path: Path,
    update_golden: bool,
) -> None:
    (tmp_path / "host.yaml").write_text(spec or (HOST / "host.yaml").read_text())
    recorded = ["--facts", str(facts / "facts.json")] if facts else []
    done = subprocess.run(
        [sys.executable, "-m", "provision", *words.split(), *recorded],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT), "LANG": "C.UTF-8"},
    )
    assert done.returncode == code, done.stderr
    block = f"<!-- {mark} -->\n```\n$ provision {words}\n{done.stdout or done.stderr}```\n"
    if update_golden:
        form = rf"<!-- {mark} -->\n.*?(?=<!-- end -->)"
        README.write_text(re.sub(form, lambda _: block, README.read_text(), flags=re.S))
    assert block in README.read_text()


def test_the_inspect_screen_is_that_of_a_golden_machine(update_golden: bool) -> None:
    screen = CHECKOUT / "tests/golden/machines/4x3090-bad-riser/expected/screen.txt"
    block = f"<!-- inspect -->\n```\n$ provision inspect\n{screen.read_text()}```\n"
    if update_golden:
        form = r"<!-- inspect -->\n.*?(?=<!-- end -->)"
        README.write_text(re.sub(form, lambda _: block, README.read_text(), flags=re.S))
    assert block in README.read_text()


def test_what_the_readme_points_at_is_there() -> None:
    pages = [README, *sorted((CHECKOUT / "docs").rglob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"
