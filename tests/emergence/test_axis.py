"""Axis values in and out of coordinates, and in sentences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.emergence.axis import AxisMap, check_axis, count, parse_date
from saltus.records import AXES, InputError, UsageError


@given(st.sampled_from(AXES), st.floats(1, 1e12))
def test_coordinates_go_back(axis: str, x: float) -> None:
    where = AxisMap(axis, 1.0, 1e12)
    assert float(where.back(where.forward(np.array(x)))) == pytest.approx(x, rel=1e-3, abs=1e-2)


def test_lower_loss_is_further_along() -> None:
    u = AxisMap("loss", 2.0, 4.0).forward(np.array([4.0, 3.0, 2.0]))
    assert (np.diff(u) > 0).all()


@pytest.mark.parametrize(
    ("axis", "x", "words"),
    [
        ("params", 450, "450"),
        ("params", 8640, "8,640"),
        ("params", 1.2e6, "1.2M"),
        ("params", 6.7e9, "6.7B"),
        ("tokens", 3e11, "300B"),
        ("flops", 2.1e23, "2.1e23"),
        ("step", 143000, "143,000"),
        ("layers", 2, "2"),
        ("released", 2023.37, "2023-05"),
        ("loss", 2.3456, "2.35"),
        ("capability", -0.4321, "-0.43"),
    ],
)
def test_values_read_as_people_write_them(axis: str, x: float, words: str) -> None:
    assert count(axis, x) == words


def test_layers_are_whole_and_one_is_singular() -> None:
    layers = AxisMap("layers", 1, 3)
    assert layers.between(1.02, 1.87) == "1 and 2 layers"
    assert layers.place(1) == "1 layer"


def test_dates_are_decimal_years() -> None:
    assert parse_date("2023-07-02") == pytest.approx(2023.5, abs=0.01)
    assert parse_date("2024") == 2024
    assert parse_date("2023-07-02 00:00:00") == parse_date("2023-07-02")


@pytest.mark.parametrize(
    "text", ["last May", "23-05", "2023-13-01", "2023-02-30", "2023-05-01-07", "2023-00"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="YYYY-MM-DD"):
        parse_date(text)


def test_an_unknown_axis_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="params"):
        check_axis("size")
