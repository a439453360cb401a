from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from saltus.report.scales import linear_ticks, log_ticks, outline, x_scale, y_scale

sizes = st.lists(st.floats(1, 1e15), min_size=1, max_size=30)


@given(sizes, st.sampled_from(["params", "tokens", "flops", "step", "loss", "layers", "width"]))
def test_every_value_lies_on_its_axis(values: list[float], axis: str) -> None:
    scale = x_scale(axis, values)
    assert scale.low < scale.high
    for value in values:
        assert -1e-5 <= scale.place(value) <= 1 + 1e-5
        assert math.isclose(scale.clamp(value), value, rel_tol=1e-5, abs_tol=1e-5)
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks)
    assert list(scale.ticks) == sorted(set(scale.ticks))


metrics = st.sampled_from(["exact_match", "target_logprob", "ppl", "brier"])


@given(st.lists(st.floats(-1e6, 1e6), max_size=20), metrics)
def test_every_score_lies_on_its_axis(values: list[float], metric: str) -> None:
    scale = y_scale(metric, values)
    assert scale.low < scale.high
    for value in values:
        if metric in ("target_logprob", "ppl") or 0 <= value <= 1:  # shares just outside are clipped
            slack = 1e-5 * max(abs(scale.low), abs(scale.high))
            assert scale.low - slack <= value <= scale.high + slack


def test_steps_with_a_zero_over_many_decades_are_symlog() -> None:
    scale = x_scale("step", [0, 1, 2, 4, 8, 512, 1000, 143000])
    assert (scale.kind, scale.ticks[0]) == ("symlog", 0.0)
    assert x_scale("step", [0, 32, 500, 2000]).kind == "linear"
    assert x_scale("params", [7e7, 1.2e10]).kind == "log"
    assert x_scale("loss", [3.1, 2.0]).reverse


def test_ticks_are_few_and_round() -> None:
    assert log_ticks(7e7, 1.2e10) == (1e8, 2e8, 5e8, 1e9, 2e9, 5e9, 1e10)
    assert log_ticks(1, 1e15) == (1.0, 1e3, 1e6, 1e9, 1e12, 1e15)
    assert linear_ticks(0.0, 1.0, 4) == (0.0, 0.25, 0.5, 0.75, 1.0)


def test_small_shares_get_a_smaller_axis() -> None:
    assert y_scale("exact_match", [0.0, 0.08]).high == 0.1
    assert y_scale("exact_match", [0.0, 0.6]).high == 1.0


@given(st.lists(st.floats(0, 1), min_size=3, max_size=60))
def test_outline_keeps_the_shape(y: list[float]) -> None:
    x = [float(10 ** (1 + place / 20)) for place in range(len(y))]
    scale = x_scale("params", x)
    kept = outline(scale, x, (y,), 1.0)
    assert kept[0] == 0
    assert kept[-1] == len(y) - 1
    places = [scale.place(value) for value in x]
    for start, end in pairwise(kept):
        for index in range(start, end + 1):
            share = (places[index] - places[start]) / (places[end] - places[start])
            assert abs(y[start] + share * (y[end] - y[start]) - y[index]) <= 1 / 500 + 1e-9


def test_outline_of_a_straight_line_is_its_ends() -> None:
    x = [float(10**place) for place in range(10)]
    y = [place / 10 for place in range(10)]
    assert outline(x_scale("params", x), x, (y,), 1.0) == [0, 9]
