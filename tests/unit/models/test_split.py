"""How layers fall to stages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provision.models.memory.split import Split


def test_stages_are_as_even_as_they_go_and_the_first_have_more() -> None:
    assert Split(pipeline=3).stages(80) == (27, 27, 26)
    assert Split(tensor=4, pipeline=2).stages(80) == (40, 40)
    assert Split(tensor=4, pipeline=2).gpus == 8


def test_given_layers_are_taken_as_they_are() -> None:
    assert Split(pipeline=2, layers=(36, 44)).stages(80) == (36, 44)


def test_offloaded_layers_are_in_no_stage() -> None:
    assert Split(pipeline=2, offloaded=20).stages(80) == (30, 30)


@given(st.integers(1, 16), st.integers(0, 130), st.data())
def test_no_layer_is_lost(pipeline: int, layers: int, data: st.DataObject) -> None:
    offloaded = data.draw(st.integers(0, layers))
    stages = Split(pipeline=pipeline, offloaded=offloaded).stages(layers)
    assert len(stages) == pipeline
    assert sum(stages) + offloaded == layers
    assert max(stages) - min(stages) <= 1
