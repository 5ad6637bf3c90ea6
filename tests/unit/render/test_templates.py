"""The template environment: our folder is found, nothing is printed without a filter."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from provision.host.errors import ProvisionError
from provision.render import templates
from provision.render.templates import environment, templates_folder

PROOF = "systemd/instance@.service.j2"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package whose two possible folders are empty."""
    folder = tmp_path / "site-packages" / "provision"
    folder.mkdir(parents=True)
    monkeypatch.setattr(templates, "_PACKAGE", folder)
    return folder


def put(folder: Path) -> Path:
    (folder / PROOF).parent.mkdir(parents=True)
    (folder / PROOF).write_text("")
    return folder


def test_this_checkout_has_them() -> None:
    assert templates_folder() == Path(__file__).resolve().parents[3] / "templates"


def test_a_checkout_wins_over_the_installed_copy(package: Path) -> None:
    installed = put(package / "_data" / "templates")
    assert templates_folder() == installed
    checkout = put(package.parent / "templates")
    assert templates_folder() == checkout


def test_templates_of_somebody_else_beside_the_package_are_not_taken(package: Path) -> None:
    (package.parent / "templates").mkdir()
    (package.parent / "templates" / "index.html").write_text("")
    assert templates_folder_fails()
    installed = put(package / "_data" / "templates")
    assert templates_folder() == installed


def templates_folder_fails() -> bool:
    with pytest.raises(ProvisionError, match="templates of provision"):
        templates_folder()
    return True


@pytest.mark.parametrize("source", ["{{ value }}", "{{ value | upper }}", "{{ 'a' ~ value }}"])
def test_a_value_without_our_filter_is_an_error(source: str) -> None:
    with pytest.raises(TypeError, match="without a filter"):
        environment().from_string(source).render(value="x")


def test_a_filtered_value_that_is_changed_again_is_an_error() -> None:
    source = "{{ value | systemd_word | replace('a', 'b') }}"
    with pytest.raises(TypeError, match="without a filter"):
        environment().from_string(source).render(value="abc")


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        environment().from_string("{{ nobody | systemd_word }}").render()


def test_every_template_is_used_and_compiles() -> None:
    names = environment().list_templates()
    used = "".join(path.read_text() for path in Path(templates.__file__).parent.rglob("*.py"))
    used += "".join(path.read_text() for path in templates_folder().rglob("*.j2"))
    assert names
    for name in names:
        environment().get_template(name)
        whole = name.removesuffix(".j2")  # a unit is asked for by its own name
        asked = (f'"{whole}"', f'"{whole.rpartition("/")[2]}"', f'include "{name}"')
        assert any(one in used for one in asked), f"{name} is used nowhere"
