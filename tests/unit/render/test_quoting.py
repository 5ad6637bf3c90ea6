"""No value breaks out of its format: read back by systemd's rules, whatever stands in it."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provision.host.errors import ProvisionError
from provision.render import quoting

from .systemd_reader import read_command, read_env_file, read_paths

NASTY = (
    "",
    " ",
    "a b",
    'say "hi"',
    "it's",
    "100%",
    "%i %h %%",
    "$HOME",
    "${HOME}",
    "$$",
    "$",
    "a;b",
    ";",
    "# no comment",
    "{}",
    "\\",
    "ends in \\",
    "\\n \\x41 \\$",
    "`id`",
    "tab\there",
    "line\nbreak\n[Service]\nExecStart=/bin/evil",
    "ünï-漢字",
    "'",
    '"',
    " = ",
    "-",
    "@/bin/sh",
)
# what argv can hold: all of Unicode but NUL and lone surrogates
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
KEPT = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs", "Cc"]),
        st.sampled_from("\t\n\"'\\$`;#%{} ="),
    ),
    max_size=30,
)
ENVIRONMENT = {"HOME": "/evil", "0": "evil"}


@pytest.mark.parametrize("value", NASTY)
def test_nasty_arguments_come_back(value: str) -> None:
    line = f"/bin/x {quoting.systemd_word(value)} --end"
    assert read_command(line, ENVIRONMENT) == [["/bin/x", value, "--end"]]


@given(st.lists(TEXT, max_size=4))
@example(["\r", "\x7f", "\x1f", "\x85", "\u2028"])
def test_any_arguments_come_back(values: list[str]) -> None:
    line = " ".join(["/bin/x", *(quoting.systemd_word(one) for one in values)])
    assert read_command(line, ENVIRONMENT) == [["/bin/x", *values]]


@pytest.mark.parametrize("value", NASTY)
def test_nasty_variables_come_back(value: str) -> None:
    text = f"FIRST=1\n{quoting.env_name('NAME')}={quoting.env_value(value)}\nLAST=2\n"
    assert read_env_file(text) == {"FIRST": "1", "NAME": value, "LAST": "2"}


@given(KEPT, KEPT)
@example("a\\", "b")
@example("a\n", "b")
def test_any_variables_come_back(one: str, two: str) -> None:
    text = f"# x\nA={quoting.env_value(one)}\nB={quoting.env_value(two)}\n"
    assert read_env_file(text) == {"A": one, "B": two}


@given(st.lists(TEXT.map(lambda text: "/" + text), min_size=1, max_size=4))
def test_any_paths_come_back(paths: list[str]) -> None:
    wanted = [path for path in paths if not _has_control(path)]
    line = " ".join(quoting.systemd_path(path) for path in wanted)
    assert read_paths(line) == wanted


@given(TEXT)
def test_a_sentence_stays_on_its_line(text: str) -> None:
    line = quoting.systemd_text(text)
    assert not _has_control(line) and not line.endswith("\\")
    assert "%" not in line.replace("%%", "")


@given(TEXT)
def test_a_comment_stays_on_its_line(text: str) -> None:
    assert all(" " <= one <= "~" and one != "\\" for one in quoting.comment(text))


@given(KEPT.filter(lambda text: not _has_control(text)))
def test_shell_words_come_back(text: str) -> None:
    assert shlex.split(f"export X={quoting.shell_word(text)}") == ["export", f"X={text}"]


@pytest.mark.parametrize(
    ("filter_", "value"),
    [
        (quoting.systemd_word, "a\0b"),
        (quoting.systemd_word, "lone \ud800"),
        (quoting.systemd_program, "relative"),
        (quoting.systemd_program, '/opt/"x"/y'),
        (quoting.systemd_path, "relative"),
        (quoting.systemd_path, "/a\nb"),
        (quoting.systemd_value, "two\nlines"),
        (quoting.systemd_value, "ends in \\"),
        (quoting.systemd_value, " blank"),
        (quoting.env_name, "1X"),
        (quoting.env_name, "A B"),
        (quoting.env_name, "A=B"),
        (quoting.env_name, "A\n"),
        (quoting.env_value, "carriage\rreturn"),
        (quoting.env_value, "escape\x1b"),
        (quoting.nginx_word, "a b"),
        (quoting.nginx_word, "a;b"),
        (quoting.nginx_word, "a{b"),
        (quoting.nginx_word, "$host"),
        (quoting.nginx_word, "a*"),
        (quoting.nginx_word, "a\n"),
        (quoting.nginx_word, ""),
        (quoting.nginx_string, "$host"),
        (quoting.nginx_string, "two\nlines"),
        (quoting.shell_word, "two\nlines"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_value(
    filter_: Callable[[object], str], value: str
) -> None:
    with pytest.raises(ProvisionError) as caught:
        filter_(value)
    (problem,) = caught.value.diagnostics
    assert problem.rule == "cannot-be-written"
    assert "cannot be written" in problem.message


@pytest.mark.parametrize("name", sorted(quoting.FILTERS))
def test_nothing_is_quoted_twice(name: str) -> None:
    filter_ = quoting.FILTERS[name]
    with pytest.raises(TypeError, match="twice"):
        value = "/abc" if "program" in name or "path" in name else "abc"
        filter_(filter_("$abc" if "variable" in name else value))


@pytest.mark.parametrize("name", sorted(quoting.FILTERS))
def test_none_is_never_written(name: str) -> None:
    with pytest.raises(TypeError, match="None"):
        quoting.FILTERS[name](None)


def _has_control(text: str) -> bool:
    return any(ord(one) < 32 or one == "\x7f" for one in text)
