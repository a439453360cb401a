"""The ladder of verdicts: from a tested series and its q-values to one word, with reasons in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from saltus.emergence.analysis import Analysis, Options
from saltus.emergence.facts import Facts, interval
from saltus.emergence.power import settle_level, settle_test
from saltus.emergence.shape import peak_of
from saltus.records import Interval, QValues, Settle
from saltus.records.findings import Sharpness, Verdict
from saltus.stats import Draws, resolution_at

_LAG = (
    0.15  # share of its rise by which a jump in training stays behind steady learning; growth as N^3 has .13
)

__all__ = ["Decision", "decide", "interval"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with what was measured on the way.

    Attributes:
        onset: In plain units of the axis; of jumps only.
        leaves: Where the curves leave their floor, of any series that rises.
        rise: On the scale of progress.
        width: Decades (of a logarithmic axis), or plain units.
        floor: Fitted score at the bottom of the axis.
        top: Fitted score at its top.
        draws: The curves behind the intervals.
        settle: What would answer the questions that are open.
        open_jump: The score rises, no jump is called, and a curve that accelerates is not clearly worse.
    """

    verdict: Verdict
    sharpness: Sharpness | None
    onset: Interval | None
    leaves: Interval | None
    rise: Interval
    width: Interval | None
    floor: float
    top: float
    draws: Draws
    reasons: tuple[str, ...]
    settle: tuple[Settle, ...] = ()
    open_jump: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    """A verdict that held, its reasons, and what would settle the rest."""

    verdict: Verdict
    reasons: tuple[str, ...]
    settle: tuple[Settle | None, ...] = ()
    open_jump: bool = False


def decide(analysis: Analysis, q: QValues, options: Options) -> Decision:
    """Walk down the ladder and stop at the first verdict that holds."""
    facts = Facts.of(analysis, q, options)
    step = _ladder(facts)
    reasons, settle = step.reasons, step.settle
    jumps = step.verdict in ("emergent", "accelerating")
    sharpness: Sharpness | None = None
    if jumps:
        sharpness = "sharp" if q.sharpness is not None and q.sharpness <= options.alpha else "smooth"
        reasons = (*reasons, _sharpness_words(facts, sharpness))
        if sharpness == "smooth" and analysis.p["sharpness"] < 1:  # else broad curves fit as well as any
            settle = (*settle, settle_test(facts, "sharpness"))
    leaves = facts.onset() if jumps or step.open_jump else None
    known = tuple(one for one in settle if one is not None)
    return Decision(
        step.verdict,
        sharpness,
        leaves if jumps else None,
        leaves,
        facts.rise,
        facts.width() if jumps else None,
        facts.bottom.value,
        facts.top.value,
        facts.draws,
        (*reasons, *(one.text for one in known)),
        known,
        step.open_jump,
    )


def _ladder(f: Facts) -> _Step:  # noqa: PLR0911 - one return a rung
    turn = f.turn()
    if turn is not None:
        return _Step("u_shaped", (turn,))
    if _at_chance(f):
        return _Step("not_above_chance", (_at_chance_words(f),))
    if not f.trend:
        return _no_change(f)
    if f.falling:
        return _falling(f)
    chance, threshold = f.chance, f.options.threshold
    if chance is not None and (f.top.low <= chance or f.top.value - chance < threshold):
        return _hardly_above_chance(f, chance)
    if f.rise.value < threshold:
        words = (
            f"The score rises {f.ends()}, by {f.rise.value:.3f} ({f.span()}): a trend (q = {f.q.trend:.2g}), "
            f"but smaller than the {threshold:g} that counts."
        )
        return _Step("below_threshold", (words,))
    assert f.q.acceleration is not None  # noqa: S101 - every test was made
    if f.q.acceleration > f.options.alpha:
        return _gradual(f)
    lag = f.lag()
    if lag < _LAG:
        words = (
            f"The score rises {f.ends()} ({f.span()}). Its rate rises too (q = {f.q.acceleration:.2g}), but "
            f"it stays behind steady learning by no more than {lag:.0%} of its rise; a jump lags by "
            f"{_LAG:.0%} or more."
        )
        return _Step("gradual", (words,))
    return _jump(f, chance)


def _at_chance(f: Facts) -> bool:
    """Whether the data exclude, at both ends, that the score stands above chance by what counts.

    This is tried before "no change", because it says more: a flat series may lie anywhere. Where no trend is
    found the bottom counts by the level of a flat line, since its own interval is that of a curve with a free
    slope.
    """
    if f.chance is None:
        return False
    limit = f.chance + f.options.threshold
    bottom = f.bottom.high if f.trend else min(f.bottom.high, f.flat_high)
    return f.top.high < limit and bottom < limit


def _at_chance_words(f: Facts) -> str:
    chance, noise = f.chance, f.analysis.noise
    assert chance is not None  # noqa: S101 - asked before
    low, high = sorted((f.bottom.value, f.top.value))
    moves = (
        f"The score moves only {f.ends()}"
        if f.trend
        else f"No trend (q = {f.q.trend:.2g}): the score stays between {f.score(low)} and {f.score(high)}"
    )
    n = None if noise.n is None else float(noise.n[f.analysis.u == f.analysis.u.max()].max())
    limit = "" if n is None else _resolution_words(n, chance)
    return (
        f"{moves}, where chance is {chance:.2f}: a top above chance by the {f.options.threshold:g} that "
        f"counts is excluded ({f.level} of the top {f.top.low:.3f} to {f.top.high:.3f}).{limit}"
    )


def _resolution_words(n: float, chance: float) -> str:
    return (
        f" At the largest scale {n:,.0f} samples alone cannot exclude a true score of up to "
        f"{resolution_at(chance, n):.3g} where {'0' if chance == 0 else 'chance'} is scored."
    )


def _hardly_above_chance(f: Facts, chance: float) -> _Step:
    over = f.top.value - chance
    much = "" if f.top.low <= chance else f" by the {f.options.threshold:g} that counts"
    words = (
        f"The score moves {f.ends()}, and its top is not above chance ({chance:.2f}){much} ({f.level} of the "
        f"top {f.top.low:.2f} to {f.top.high:.2f}): what it learned is at most to guess."
    )
    return _Step("not_above_chance", (words,), (settle_level(f, "chance", max(f.options.threshold, over)),))


def _no_change(f: Facts) -> _Step:
    level = f.score(float(f.analysis.fit.mean))
    peak = peak_of(f.analysis, f.options)
    if peak is not None and peak.both and peak.unfit:
        words = (
            f"The score rises to {peak.score} at {peak.place} and falls back to {peak.last}: it changes, "
            "but ends where it began, and no curve that goes one way fits it."
        )
        return _Step("no_change", (words, f"From end to end there is no trend (q = {f.q.trend:.2g})."))
    flat = f"No trend: a level of {level} explains the scores (q = {f.q.trend:.2g})."
    if f.rise.high < f.options.threshold:
        told = f"Absent here: a rise of {f.options.threshold:g} is excluded ({f.span()})."
        return _Step("no_change", (flat, told))
    told = f"Not enough data to say absent: a rise up to {f.rise.high:.2f} is not excluded ({f.span()})."
    settle = settle_test(f, "trend")
    if settle is None:
        told += (
            f" A steady rise of {f.options.threshold:g} would have been found in 4 of 5 data sets; one in "
            "the last places only would not."
        )
    return _Step("no_change", (flat, told), (settle,))


def _falling(f: Facts) -> _Step:
    threshold, chance = f.options.threshold, f.chance
    if -f.rise.value < threshold:
        words = (
            f"The score falls {f.ends()}, by {-f.rise.value:.3f}: less than the {threshold:g} that counts."
        )
        return _Step("below_threshold", (words,))
    settles = chance is not None and abs(f.top.value - chance) < threshold
    if chance is not None and settles and f.bottom.low < chance + 2 * threshold:
        words = (
            f"The score settles {f.ends()}: it ends at chance ({chance:.2f}) and never stood far from it; a "
            "fixed answer can score that much on one set of items."
        )
        return _Step("not_above_chance", (words,))
    words = f"The score falls {f.ends()} ({f.span()}; q = {f.q.trend:.2g}): more scale makes it worse."
    peak = f.rise_before_fall()
    return _Step("declining", (words,) if peak is None else (words, peak))


def _gradual(f: Facts) -> _Step:
    rate = "a rate that never rises" if f.training else "no acceleration"
    words = (
        f"The score rises {f.ends()} ({f.span()}); curves with {rate} explain it "
        f"(acceleration q = {f.q.acceleration:.2g}): no jump."
    )
    if not f.open_jump():
        told = "Every curve that accelerates is clearly worse (BIC by more than 10)."
        return _Step("gradual", (words, told))
    if f.analysis.p["acceleration"] >= 1:
        return _Step("gradual", (words,), open_jump=True)
    told = (
        f"A jump is not excluded: more points between {f.widest_move()}, where the score moves most, would "
        "tell."
    )
    return _Step("gradual", (words, told), (settle_test(f, "acceleration"),), open_jump=True)


def _jump(f: Facts, chance: float | None) -> _Step:
    onset, threshold = f.onset(), f.options.threshold
    when = (
        ""
        if onset is None
        else f", leaving its floor between {f.analysis.axis.between(onset.low, onset.high)}"
    )
    words = (
        f"The score rises {f.ends()}{when} ({f.level}); no curve without acceleration explains it "
        f"(q = {f.q.acceleration:.2g})."
    )
    floor = f.bottom.value
    emergent, accelerating = partial(_Step, "emergent"), partial(_Step, "accelerating")
    if chance is None and f.analysis.progress.share and floor <= threshold:
        return emergent(
            (words, f"Chance is not recorded; the floor of {floor:.2f} is near 0, below any guess.")
        )
    if chance is None:
        told = "Chance is not recorded, so whether it starts from guessing cannot be said; record it."
        return accelerating((words, told))
    if floor <= chance + threshold:
        return emergent((words, f"The fitted floor of {floor:.2f} is no better than chance ({chance:.2f})."))
    told = f"It starts above chance: the fitted floor is {floor:.2f}, chance {chance:.2f}."
    if f.bottom.low > chance + threshold:
        return accelerating((words, told))
    told += " A floor at chance is not excluded; smaller models would tell."
    return accelerating((words, told), (settle_level(f, "floor", floor - chance - threshold),))


def _sharpness_words(f: Facts, sharpness: Sharpness) -> str:
    width = f.width()
    unit = (
        "decades"
        if f.analysis.axis.logarithmic
        else {"released": "years", "loss": "nats"}.get(f.analysis.axis.axis, "units of the axis")
    )
    size = f"10 to 90 % of the rise takes {width.value:.2f} {unit} [{width.low:.2f}, {width.high:.2f}]"
    q = "" if f.q.sharpness is None else f" (q = {f.q.sharpness:.2g})"
    if sharpness == "sharp":
        return f"Sharp: {size}, and no change spread over a decade or more explains it{q}."
    return (
        f"Smooth as far as the data tell: {size}; a change spread over a decade or more is not excluded{q}."
    )
