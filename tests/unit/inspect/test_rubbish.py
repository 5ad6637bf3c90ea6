"""Whatever is missing or holds rubbish: no traceback, and unknown is never turned into zero."""

from __future__ import annotations

import dataclasses
import shutil
import types
import typing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.host.document import dumps, loads, to_plain
from provision.host.facts import Facts, InspectRequest
from provision.host.inspect.host import look
from provision.host.inspect.nvidia.answers import (
    NvmlAnswers,
    NvmlGpu,
    NvmlLink,
    NvmlMig,
    NvmlPair,
    NvmlProcess,
)
from provision.host.inspect.recording.record import record, replay

from .whole_machine import Told, answers, told, whole_machine

_REQUEST = InspectRequest(
    paths=("/etc/llm/keys", "/srv/models/m.gguf"), ports=(8000,), power_supply_watts=1600
)
_RUBBISH = (
    b"",
    b"\n",
    b"\x00\xff\xfe\x80 \x1b[31m\n",
    b"9" * 40 + b"\n",
    b"99999999999999999999\n",
    b"-1\n",
    b"-7777777\n",
    b"nan\n",
    b"1e999\n",
    b"one two\nthree\n\n four",
    b"4294967295\n",
    b"\xd9\xa3\xd9\xa4\n",  # Arabic digits, which int() takes
    b"1_000\n",
    b"0-4294967295\n",
    b"," * 50,
    b"{" * 3000,
    b"A: B: C\n" * 50,
    b": : :\n-=-\n= =\n",
    b"x" * 70000,
)
_ACTS = ("missing", "folder", "loop", "dangling", "unreadable", *range(len(_RUBBISH)))
_settings = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Host:
    """The good machine, on disk once; a case changes some of its files and puts them back."""

    def __init__(self, source: Told, paths: Sequence[str], zeros: frozenset[str]) -> None:
        self.source = source
        self.root = source.root
        self.paths = paths  # below its root
        self.zeros = zeros  # fields that are rightly 0 in its facts

    def __repr__(self) -> str:  # shown with every failing case
        return "Host"

    def again(self, **answers: Any) -> Told:
        """The same source without what it remembers of links."""
        return dataclasses.replace(self.source, _folders={}, _targets={}, **answers)

    @contextmanager
    def spoiled(self, acts: dict[str, str | int]) -> Iterator[Told]:
        """With some of its files missing or rubbish."""
        before = {self.root / one: _content(self.root / one) for one in acts}
        try:
            for path, act in acts.items():
                _spoil(self.root / path, act)
            yield self.again()
        finally:
            for place, was in before.items():
                _restore(place, was)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    root = tmp_path_factory.mktemp("rubbish") / "host"
    whole_machine(root)
    source = told(root)
    files = (one for one in root.rglob("*") if one.is_symlink() or one.is_file())
    paths = tuple(sorted(str(one.relative_to(root)) for one in files))
    zeros = frozenset(_zeros(to_plain(look(_REQUEST, source))))
    assert "stable.numa_nodes.id" in zeros
    assert "stable.gpus.memory_mib" not in zeros
    return Host(source, paths, zeros)


def _zeros(plain: Any, path: str = "") -> Iterator[str]:
    """The fields that hold 0, without places in lists and without keys of tables."""
    if isinstance(plain, dict):
        for key, one in plain.items():
            yield from _zeros(one, f"{path}.{key}" if not str(key).isdecimal() else path)
    elif isinstance(plain, list):
        for one in plain:
            yield from _zeros(one, path)
    elif plain == 0 and not isinstance(plain, bool):
        yield path.lstrip(".")


def _check(facts: Facts, host: Host, rightly: frozenset[str] = frozenset()) -> None:
    text = dumps(facts)
    text.encode()  # no lone surrogates
    assert loads(Facts, text) == facts
    assert set(_zeros(to_plain(facts))) <= host.zeros | rightly


def _spoil(path: Path, act: str | int) -> None:
    path.unlink()
    if act == "folder":
        path.mkdir()
    elif act == "loop":
        path.symlink_to(path.name)
    elif act == "dangling":
        path.symlink_to("/nowhere/at/all")
    elif act == "unreadable":
        path.write_bytes(b"1\n")
        path.chmod(0)
    elif isinstance(act, int):
        path.write_bytes(_RUBBISH[act])


def _restore(path: Path, was: bytes | str) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)
    if isinstance(was, str):
        path.symlink_to(was)
    else:
        path.write_bytes(was)


def _content(path: Path) -> bytes | str:
    """A file's bytes, or a link's target."""
    return str(path.readlink()) if path.is_symlink() else path.read_bytes()


def test_every_file_spoiled_in_turn(host: Host) -> None:
    """Each file in a few ways, in a fixed order: what fails here fails always."""
    for at, path in enumerate(host.paths):
        for step in range(3):
            act = _ACTS[(at * 3 + step * 7) % len(_ACTS)]
            try:
                with host.spoiled({path: act}) as source:
                    _check(look(_REQUEST, source), host)
            except Exception as error:
                error.args = (f"{path} {act}: {error}",)
                raise


@given(data=st.data())
@settings(_settings, max_examples=60)
def test_any_subset_of_the_files(host: Host, data: st.DataObject) -> None:
    acts = data.draw(
        st.dictionaries(st.sampled_from(host.paths), st.sampled_from(_ACTS), max_size=25)
    )
    with host.spoiled(acts) as source:
        _check(look(_REQUEST, source), host)


def test_whole_folders_missing(host: Host, tmp_path: Path) -> None:
    folders = sorted(one for one in host.root.rglob("*") if one.is_dir() and not one.is_symlink())[
        :: max(1, len(list(host.root.rglob("*"))) // 200)
    ]
    for folder in folders:
        if not folder.exists():
            continue
        aside = tmp_path / "aside"
        folder.rename(aside)
        try:
            source = host.again()
            _check(look(_REQUEST, source), host)
            folder.write_text("a file where a folder should be")
            source = host.again()
            _check(look(_REQUEST, source), host)
            folder.unlink()
        finally:
            if folder.is_file():
                folder.unlink()
            aside.rename(folder)


@given(data=st.data())
@settings(_settings, max_examples=40)
def test_rubbish_from_programs(host: Host, data: st.DataObject) -> None:
    rubbish = st.sampled_from([one.decode("utf-8", "replace") for one in _RUBBISH])
    outputs = {
        name: data.draw(st.one_of(rubbish, st.text(max_size=200)))
        for name in (*host.source.outputs, "nginx", "journalctl", "dmesg", "nft", "numactl")
    }
    source = host.again(outputs=outputs, nvml=None)
    _check(look(_REQUEST, source), host)


_TEXTS = ("", "N/A", "[N/A]", "\x00", "GPU-", "zz:zz.z", "FFFFFFFF:FF:1F.7", "9.0", "9" * 40)
_NUMBERS = (-1, 1, 7, 2**31, 2**32 - 1, 2**64 - 1, 10**30)
# Links that are down, or lead elsewhere, are none between two GPUs.
_NO_LINKS = frozenset(("stable.gpu_links.nvlinks",))
_KINDS = (NvmlGpu, NvmlLink, NvmlMig, NvmlProcess, NvmlPair, NvmlAnswers)


def _answers_for(kind: type[Any], name: str) -> list[Any]:
    """What a field may hold by its type, besides the good answer."""
    hint = typing.get_type_hints(kind)[name]
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    found: list[Any] = [None] if type(None) in kinds else []
    found += _TEXTS if str in kinds else ()
    found += (True, False) if bool in kinds else ()
    if int not in kinds or name in ("index", "a", "b"):
        return found
    # A byte or seven are rightly 0 MiB.
    return [*found, *(one for one in _NUMBERS if not name.endswith("_bytes") or abs(one) > 7)]


_CHANGES = [
    (kind, one.name, answer)
    for kind in _KINDS
    for one in dataclasses.fields(kind)
    for answer in _answers_for(kind, one.name)
]


def _changed(value: Any, changes: Sequence[tuple[type[Any], str, Any]]) -> Any:
    """The answers with these changes in every value of a kind."""
    if isinstance(value, tuple):
        return tuple(_changed(one, changes) for one in value)
    if not isinstance(value, _KINDS):
        return value
    fields = {one.name: _changed(getattr(value, one.name), changes) for one in _fields(value)}
    fields.update({name: answer for kind, name, answer in changes if kind is type(value)})
    return type(value)(**fields)


def _fields(value: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(value)


def test_every_answer_of_the_driver_in_turn(host: Host) -> None:
    for change in _CHANGES:
        _check_driver(host, _changed(answers(), [change]), change)
    unknown = [change for change in _CHANGES if change[2] is None]
    _check_driver(host, _changed(answers(), unknown), "all unknown")


@given(changes=st.lists(st.sampled_from(_CHANGES), max_size=12))
@settings(_settings, max_examples=60)
def test_any_answers_of_the_driver(host: Host, changes: list[tuple[type[Any], str, Any]]) -> None:
    _check_driver(host, _changed(answers(), changes), changes)


def _check_driver(host: Host, spoiled: NvmlAnswers, what: object) -> None:
    try:
        assert loads(NvmlAnswers, dumps(spoiled)) == spoiled
        _check(look(_REQUEST, host.again(nvml=spoiled)), host, _NO_LINKS)
    except Exception as error:
        error.args = (f"{what}: {error}",)
        raise


@given(data=st.data())
@settings(_settings, max_examples=6)
def test_a_spoiled_machine_is_recorded_as_it_is(host: Host, data: st.DataObject) -> None:
    # The message about a broken record of ours quotes the place of its fault, which is not kept.
    paths = [one for one in host.paths if not one.endswith("state.json")]
    acts = data.draw(st.dictionaries(st.sampled_from(paths), st.sampled_from(_ACTS), max_size=40))
    archive = host.root.parent / "spoiled.tar.xz"
    with host.spoiled(acts) as source:
        facts = record(_REQUEST, archive, "1.0", source=source)
        assert dumps(replay(archive)) == dumps(facts)
        assert dumps(look(_REQUEST, source)) == dumps(facts)
    archive.unlink()


def test_an_empty_folder_and_a_tree_of_folders_alone(tmp_path: Path) -> None:
    zeros = Host(told(tmp_path), (), frozenset(("stable.numa_nodes.id",)))
    for folder in ("sys/devices/system/node", "proc/self", "sys/bus/pci/devices", "etc"):
        shutil.rmtree(tmp_path / folder.partition("/")[0], ignore_errors=True)
        (tmp_path / folder).mkdir(parents=True)
        source = zeros.again(nvml=None, outputs={})
        _check(look(InspectRequest(), source), zeros)
