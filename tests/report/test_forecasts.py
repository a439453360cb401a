"""The pages on forecasts and on changes along training: rows, titles, and what is drawn for a refusal."""

from __future__ import annotations

from saltus.records import Change, EarlyWarning, Forecast, Interval, Timeline
from saltus.records.findings import Band, Point
from saltus.report.forecasts import forecast_answer, forecast_chart, forecast_page
from saltus.report.training import lanes, training_pages

POINTS = tuple(
    Point(f"toy-{x:g}", "run1", x, y, y - 0.02, y + 0.02, 200.0)
    for x, y in ((1e6, 0.2), (1e7, 0.4), (1e8, 0.6))
)


def a_forecast(at: float = 1e9, refused: str | None = None, task: str = "facts") -> Forecast:
    band = Band((1e6, 1e8, at), (0.2, 0.6, 0.8), (0.15, 0.55, 0.6), (0.25, 0.65, 0.9))
    return Forecast(
        task=task,
        metric="exact_match",
        family="toy",
        axis="params",
        at=at,
        value=0.8,
        low=0.6,
        high=0.9,
        method="ensemble",
        refused=refused,
        chance=0.25,
        points=POINTS,
        band=None if refused else band,
    )


def test_a_forecast_is_drawn_beyond_the_measurements() -> None:
    spec = forecast_chart([a_forecast(), a_forecast(3e9)])
    assert spec["title"]["text"] == "Facts at 3B parameters: 0.80 [0.60, 0.90]"
    assert [row["x"] for row in spec["datasets"]["points"]] == [1e6, 1e7, 1e8]
    assert [row["y"] for row in spec["datasets"]["forecasts"]] == [0.8, 0.8]
    assert len(spec["datasets"]["band"]) == 3
    assert spec["encoding"]["x"]["scale"]["domain"][1] > 3e9


def test_a_refusal_keeps_its_range_and_shows_no_value() -> None:
    refused = a_forecast(refused="It cannot see past an onset.")
    spec = forecast_chart([refused])
    (row,) = spec["datasets"]["forecasts"]
    assert (row["y"], row["low"], row["high"]) == (None, 0.6, 0.9)
    assert forecast_answer(refused).endswith("cannot be told")
    (entry,) = forecast_page([refused])
    assert entry["rows"][0] == {
        "at": "1B",
        "score": "–",  # noqa: RUF001
        "left": "[0.60, 0.90]",
        "method": "ensemble",
        "refused": "It cannot see past an onset.",
    }


def test_refusals_come_last_and_places_of_one_task_together() -> None:
    page = forecast_page([a_forecast(refused="no", task="a"), a_forecast(3e9), a_forecast()])
    assert [(entry["task"], len(entry["rows"])) for entry in page] == [("facts", 2), ("a", 1)]
    assert [row["at"] for row in page[0]["rows"]] == ["1B", "3B"]


def a_timeline(metric: str, *places: float) -> Timeline:
    changes = tuple(Change(kind="onset", at=Interval(x, x - 50, x + 50), size=0.5, p=0.001) for x in places)
    return Timeline(
        family="toy", series="toy-e", task="recall", metric=metric, changes=changes, reasons=("It moves.",)
    )


def test_lanes_stand_in_order_of_the_first_change() -> None:
    warning = EarlyWarning(
        family="toy",
        series="toy-e",
        task="recall",
        metric="exact_match",
        indicator="continuous",
        at=300,
        statistic=3.0,
        p=0.01,
        reason="It speeds up.",
    )
    spec = lanes(
        [a_timeline("exact_match", 500), a_timeline("target_logprob", 200, 480)], [warning], [0, 2000]
    )
    assert spec["encoding"]["y"]["sort"] == ["recall · target log-probability", "recall · exact match"]
    assert [row["sign"] for row in spec["datasets"]["changes"]] == ["onset", "onset", "onset", "warning"]
    assert spec["datasets"]["changes"][0]["words"] == "leaves its floor, by 0.5 (p = 0.001)"


def test_a_model_without_changes_has_no_lanes() -> None:
    assert training_pages([], [a_timeline("exact_match")], []) == {}
    assert list(training_pages([], [a_timeline("exact_match", 500)], [])) == ["toy-e"]
