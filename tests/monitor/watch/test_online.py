"""What is new after a look, and what each look may spend."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from saltus.monitor.watch.events import WatchEvent
from saltus.monitor.watch.online import news, spent, standing, unsaid
from saltus.records import EarlyWarning, Finding, Interval, QValues


def finding(verdict: str = "emergent", q: float = 1e-6, onset: float = 500.0, **more: Any) -> Finding:
    return Finding(
        id=f"{verdict}{q}{onset}{more}",
        family="f",
        axis="step",
        task="recall",
        metric="exact_match",
        n_scales=8,
        n_samples=256,
        verdict=verdict,  # type: ignore[arg-type]
        headline=f"recall {verdict} at {onset}",
        onset=Interval(onset, 0.9 * onset, 1.1 * onset),
        q=QValues(q, q, q),
        **more,
    )


def kinds(found: Finding, *announced: Finding, level: float = 0.001) -> list[str]:
    stands = standing([WatchEvent(kind="finding", headline="", finding=one) for one in announced])
    return [event.kind for event in news([found], stands, level=level)]


@given(st.integers(1, 100_000), st.floats(1e-4, 0.5))
def test_all_looks_together_spend_alpha_and_never_more(looks: int, alpha: float) -> None:
    assert spent(1, alpha) > spent(2, alpha) > 0
    total = sum(spent(k, alpha) for k in range(1, min(looks, 2000) + 1))
    assert total <= alpha
    assert abs(total - alpha * min(looks, 2000) / (min(looks, 2000) + 20)) < 1e-9


def test_a_jump_is_announced_at_the_level_of_its_look() -> None:
    assert kinds(finding(q=0.0009)) == ["finding"]
    assert kinds(finding(q=0.0011)) == []
    assert kinds(finding("accelerating")) == ["finding"]
    assert kinds(finding("gradual")) == []


def test_it_is_announced_once_and_stands_at_the_ordinary_level() -> None:
    assert kinds(finding(q=0.04), finding()) == []


def test_only_a_clear_move_of_the_onset_is_news() -> None:
    assert kinds(finding(onset=540.0), finding()) == []
    assert kinds(finding(onset=560.0), finding()) == ["changed"]
    assert kinds(finding(artifact="jump_persists"), finding(artifact="unresolved")) == ["changed"]


def test_a_jump_that_no_longer_holds_is_withdrawn_and_may_come_back() -> None:
    first = WatchEvent(kind="finding", headline="", finding=finding())
    [gone] = news([finding("gradual")], standing([first]), level=0.001)
    assert (gone.kind, gone.was) == ("withdrawn", finding().headline)
    assert standing([first, gone]) == {}
    assert [e.kind for e in news([finding()], standing([first, gone]), level=0.001)] == ["finding"]


def test_a_warning_is_announced_once() -> None:
    one = EarlyWarning(
        family="f", series="s", task="recall", metric="m", indicator="variance", at=400, statistic=2, p=0.01,
        reason="The variance grows.",
    )  # fmt: skip
    other = msgspec.structs.replace(one, indicator="continuous", at=300)
    later = msgspec.structs.replace(one, at=450)
    said = unsaid([one, other, later, one], [])
    assert [event.warning for event in said] == [other, one, later]
    assert unsaid([one, other], said) == []
