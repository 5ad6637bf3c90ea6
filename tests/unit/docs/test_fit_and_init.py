"""The screens of the pages about `init` and `fit` are what the commands print."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .test_readme import CHECKOUT

PAGES = CHECKOUT / "docs/how-to"
EXAMPLE = CHECKOUT / "examples/article.facts.json"
HOSTS = CHECKOUT / "tests/golden/hosts"
SCREENS = [
    ("first-host-yaml.md", "init", "init --model llama3.3:70b --facts facts.json -o -", 0),
    ("first-host-yaml.md", "nofit", "init --model qwen2.5:72b --context 32768 --facts two.json", 1),
    ("what-fits.md", "one", "fit llama3.3:70b --facts facts.json", 0),
    ("what-fits.md", "quantisations", "fit llama3.3:70b --quantisations --facts facts.json", 0),
    ("what-fits.md", "every", "fit --filter qwen2.5 --facts facts.json", 0),
    (
        "what-fits.md",
        "hosts",
        "fit deepseek-ai/DeepSeek-R1 --facts node-1.json --facts node-2.json",
        0,
    ),
]


@pytest.mark.parametrize(
    ("page", "mark", "words", "code"), SCREENS, ids=[one[1] for one in SCREENS]
)
def test_screens(
    page: str, mark: str, words: str, code: int, tmp_path: Path, update_golden: bool
) -> None:
    shutil.copy(EXAMPLE, tmp_path / "facts.json")
    shutil.copy(HOSTS / "2x4090/facts.json", tmp_path / "two.json")
    for name in ("node-1.json", "node-2.json"):
        shutil.copy(HOSTS / "8xh100/facts.json", tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-m", "provision", *words.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT), "LANG": "C.UTF-8"},
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert [one.name for one in tmp_path.iterdir() if one.name == "host.yaml"] == []
    text = f"{done.stdout}{done.stderr}"
    assert [line for line in done.stdout.splitlines() if len(line) > 100] == []
    block = f"<!-- {mark} -->\n```\n$ provision {words}\n{text}```\n"
    path = PAGES / page
    if update_golden:
        form = rf"<!-- {mark} -->\n.*?(?=<!-- end -->)"
        path.write_text(re.sub(form, lambda _: block, path.read_text(), flags=re.S))
    assert block in path.read_text()
