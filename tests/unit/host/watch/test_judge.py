"""In or out: tables, and what holds whatever the signs are."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provision.host.bundle import WatchSettings
from provision.host.watch.judge import (
    ALIVE,
    Judgement,
    Kind,
    Sign,
    judge,
    next_round,
    wants_restart,
)

LETTERS: dict[str, Kind] = {
    "t": "token",
    "p": "progress",
    "b": "busy",
    "d": "dead",
    "h": "hung",
    "w": "wrong",
    "s": "starting",
}
SIGNS = st.sampled_from(sorted(LETTERS))
SETTINGS = st.builds(
    WatchSettings,
    interval_seconds=st.floats(0.5, 60),
    timeout_seconds=st.floats(0.5, 60),
    failures=st.integers(1, 5),
    successes=st.integers(1, 5),
)


def after(
    letters: str,
    settings: WatchSettings | None = None,
    began: Judgement | None = None,
    seconds: float = 10.0,
) -> Judgement:
    """The judgement after these signs, one every so many seconds."""
    judged, now = began or Judgement(), 0.0
    for letter in letters:
        now += seconds
        judged = judge(judged, Sign(LETTERS[letter]), settings or WatchSettings(), now)
    return judged


def course(letters: str, settings: WatchSettings | None = None) -> str:
    """`i` or `o` after each sign."""
    return "".join(
        "o" if after(letters[: at + 1], settings).out else "i" for at in range(len(letters))
    )


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("tttt", "iiii"),
        ("tddd", "iioo"),  # dead: out after two rounds
        ("thhh", "iioo"),  # hung
        ("twww", "iioo"),  # answers nonsense
        ("tsss", "iioo"),  # restarted by somebody
        ("tdhw", "iioo"),  # whatever they are, they are in a row
        ("tdtdtd", "iiiiii"),  # flaps, but is never silent twice
        ("bbbbbbbb", "iiiiiiii"),  # busy is never out
        ("pppbbbpp", "iiiiiiii"),
        ("dbdbdb", "iiiiii"),
        ("dd" + "tt", "iooi"),  # back after two tokens
        ("dd" + "tdtdt", "iooooo" + "o"),  # flapping: stays out
        ("dd" + "bbbb", "io" + "oooo"),  # busy is no proof that it serves
        ("dd" + "pppp", "io" + "oooo"),
        ("dd" + "tbt", "io" + "ooi"),  # and no reason against it either
        ("dd" + "ttdd", "iooiio"),
    ],
)
def test_in_or_out(letters: str, expected: str) -> None:
    assert course(letters) == expected


def test_one_failure_and_one_token_suffice_where_that_is_wanted() -> None:
    assert course("tdtd", WatchSettings(failures=1, successes=1)) == "ioio"


def test_up_needs_a_proof_first() -> None:
    assert not Judgement().up
    assert not after("s").up
    assert after("t").up
    assert after("b").up  # it says itself that it has too much to do
    assert after("td").up  # one failure alone is none yet
    assert not after("tdd").up
    assert after("tddtt").up


def test_since_is_when_it_was_judged() -> None:
    assert after("tdddd").since == 30.0
    assert after("tddtt").since == 50.0


def test_restart_after_long_and_again_after_as_long() -> None:
    settings = WatchSettings(restart_seconds=120)
    out = after("dd", settings)  # out since 20
    assert not wants_restart(out, settings, 139.9)
    assert wants_restart(out, settings, 140.0)
    again = Judgement(True, since=20.0, last=Sign("hung"), restarted=140.0)
    assert not wants_restart(again, settings, 259.0)
    assert wants_restart(again, settings, 260.0)


@pytest.mark.parametrize(("letter", "wanted"), [(one, one in "dhw") for one in LETTERS])
def test_only_what_gives_nothing_is_restarted(letter: str, wanted: bool) -> None:
    """Not what works, and not what is starting: that would never come to an end."""
    settings = WatchSettings(restart_seconds=1)
    out = Judgement(True, since=0.0, last=Sign(LETTERS[letter]))
    assert wants_restart(out, settings, 1000.0) is wanted


def test_never_restarted_where_that_is_wanted_or_it_is_in() -> None:
    never = WatchSettings(restart_seconds=None)
    assert not wants_restart(after("dddd", never), never, 1e9)
    assert not wants_restart(after("d"), WatchSettings(), 1e9)


@given(st.text(SIGNS, max_size=60), SETTINGS)
def test_out_only_after_failures_in_a_row(letters: str, settings: WatchSettings) -> None:
    before = Judgement()
    for at, letter in enumerate(letters):
        now = judge(before, Sign(LETTERS[letter]), settings, float(at))
        recent = [LETTERS[one] for one in letters[max(0, at + 1 - settings.failures) : at + 1]]
        if now.out and not before.out:
            assert len(recent) == settings.failures
            assert not ALIVE & set(recent)
        if before.out and not now.out:
            last = [one for one in letters[: at + 1] if LETTERS[one] not in ("busy", "progress")]
            assert set(last[-settings.successes :]) == {"t"}
        before = now


@given(st.text(SIGNS, max_size=40), SETTINGS)
def test_whatever_was_before_silence_takes_it_out_and_tokens_bring_it_back(
    letters: str, settings: WatchSettings
) -> None:
    silent = after(letters + "h" * settings.failures, settings)
    assert silent.out
    assert after("t" * settings.successes, settings, silent).up


@given(st.lists(st.sampled_from("tpb"), max_size=60), SETTINGS)
def test_a_busy_one_is_never_taken_out(letters: list[str], settings: WatchSettings) -> None:
    assert not after("".join(letters), settings).out


@given(SETTINGS, st.floats(0, 50), st.lists(st.floats(0, 1), min_size=1, max_size=10))
@example(WatchSettings(), 0.0, [1.0])
@example(WatchSettings(), 49.0, [0.0])
@example(WatchSettings(), 5.0, [0.0, 1.0, 1.0])
def test_detection_time_is_kept(settings: WatchSettings, dies: float, shares: list[float]) -> None:
    """In a time of its own: rounds take any share of the time-out, the instance dies at any
    moment, and what a round sees is what is true when it ends."""
    judged, began = Judgement(), 0.0
    for share in itertools.islice(itertools.cycle(shares), 1000):
        ended = began + share * settings.timeout_seconds
        letter = "t" if ended < dies else "h"
        judged = judge(judged, Sign(LETTERS[letter]), settings, ended)
        if judged.out:
            break
        began = next_round(began, ended, settings.interval_seconds)
    assert judged.out
    assert judged.since - dies <= settings.detection_seconds + 1e-6


@given(st.floats(0, 1000), st.floats(0, 100), st.floats(0.5, 100))
def test_rounds_neither_pile_up_nor_pause_too_long(
    began: float, took: float, interval: float
) -> None:
    then = next_round(began, began + took, interval)
    assert then > began + took
    assert then - (began + took) <= interval + 1e-9
