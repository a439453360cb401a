"""How what is inside a network formed: any measurement at each checkpoint, as curves, rows and sentences.

`follow` opens checkpoints one after the other and measures each. The curves go to the store, where
`saltus timeline` and the early warnings find them; `development_sentences` sets them beside the onset of an
ability. When something formed is a matter of time, not of cause: every sentence here is a correlation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from saltus._version import __version__
from saltus.interpret.development.measures import head_measure, score_measure
from saltus.interpret.development.tracks import Development, Measure, Reading, Track
from saltus.interpret.network.checkpoints import open_checkpoints, random_models
from saltus.interpret.network.hooked import HookedModel
from saltus.records.changes import Lag
from saltus.records.errors import InputError, ModelError
from saltus.records.evidence import ModelRecord, RunRecord
from saltus.records.explanations import Statement
from saltus.records.findings import Interval
from saltus.records.ids import content_hash

if TYPE_CHECKING:
    from saltus.models.encoding import Encoder
    from saltus.store import Store

__all__ = [
    "Development",
    "Measure",
    "Reading",
    "Track",
    "development_sentences",
    "follow",
    "head_measure",
    "record_development",
    "score_measure",
]

FORMAT = "saltus-explain"
_MOVED = 0.05  # a rise of a share that is worth a sentence; early warnings use the same for scores
_EARLY = 0.25  # share of the rise across the onset that has to lie before it to be said to
_NOUNS = {
    "previous_token": "previous-token head",
    "induction": "induction head",
    "duplicate": "duplicate-token head",
    "copying": "copying head",
    "fixed_distance": "fixed-distance head",
    "delimiter": "delimiter head",
    "source": "head from the question to the answer's source",
}


def follow(
    records: Iterable[ModelRecord],
    measures: Sequence[Measure],
    *,
    device: str = "auto",
    dtype: str = "auto",
    encoder: Encoder | None = None,
    draws: int = 4,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Development:
    """Measure checkpoints one after the other, with one in memory.

    Args:
        records: Checkpoints, along training or scale.
        measures: Functions from a model to readings by name.
        device: As for `open_checkpoints`.
        dtype: As for `open_checkpoints`.
        encoder: Of the prompts that the measures use.
        draws: Randomly initialised networks of each size, whose mean gives the baseline of the strongest
            head; 0 leaves the baselines as measured.
        seed: Of the first of them.
        progress: Called with the id of each checkpoint that is done.

    Returns:
        What was measured; a checkpoint that cannot be is among the problems, and the others go on.

    Raises:
        ModelError: None of them can be measured.
        UsageError: There is no such device or data type.
    """
    wanted = list(records)
    done: list[tuple[ModelRecord, dict[str, Reading]]] = []
    problems: list[str] = []
    for record, model in open_checkpoints(
        wanted, device=device, dtype=dtype, encoder=encoder, problems=problems
    ):
        try:
            done.append((record, _measured(model, measures)))
        except (ModelError, InputError) as error:
            problems.append(f"{record.id}: {error}")
        if progress is not None:
            progress(record.id)
    if not done:
        first = problems[0] if problems else "none was given"
        raise ModelError(f"no checkpoint can be measured; the first: {first}")
    random = _Random(measures, draws, seed, device)
    return Development(
        records=tuple(record for record, _ in done),
        readings=tuple(random.held_against(record, readings) for record, readings in done),
        problems=tuple(problems),
    )


def record_development(
    store: Store, development: Development, *, run: str = "", named: Sequence[str] | None = None
) -> str:
    """Write the rows of a development into a store.

    Args:
        store: Where to.
        development: What was measured.
        run: Id of the run they belong to; the hash of their content when empty. The run's own row is written
            in that case only.
        named: As for `Development.aggregates`.

    Returns:
        The id of the run. What is there already is not written again.
    """
    content = content_hash(
        [
            [record.id, dict(own)]
            for record, own in zip(development.records, development.readings, strict=True)
        ]
    )
    own = run or content
    aggregates, effects = development.aggregates(own, named), development.effects(own)
    part = f"development-{content}"
    store.append("models", list(development.records), part=part)
    for table, rows in (("aggregates", aggregates), ("effects", effects)):
        if rows:
            store.append(table, rows, part=part)
    if not run:
        record = RunRecord(
            id=own,
            kind="run",
            source="development",
            format=FORMAT,
            content=content,
            rows=len(aggregates) + len(effects),
            version=__version__,
            created=time.time(),
        )
        store.append("runs", [record], part=part)
    return own


def development_sentences(
    tracks: Sequence[Track], onset: Interval, lags: Sequence[Lag] = (), *, task: str
) -> tuple[Statement, ...]:
    """Set the curves of one model beside the onset of an ability: what stood before it, what rose with it.

    "Stood before" compares the last checkpoint before the onset's interval with the first of all, where that
    is a quarter at least of the rise up to the first checkpoint after the interval; "rose with it" compares
    that checkpoint with the last before. A rise is .05 at least and more than both intervals. Those say how
    sure a reading is, not how another training would go: several seeds do, by `lags`.

    Args:
        tracks: Of one model: the strongest heads, or named ones.
        onset: Of the ability, on the axis of the tracks, with its interval.
        lags: Between the curves and the score, over runs; those that name neither are left out.
        task: The ability.

    Returns:
        One statement a track, those that stood first first, then one a lag; all "correlated". A track
        without checkpoints on both sides of the onset is "not_tested".
    """
    told = sorted((_formed(track, onset, task) for track in tracks), key=lambda pair: pair[0])
    names = {track.name for track in tracks}
    timed = [
        lag
        for lag in lags
        if lag.reason
        and names & {lag.leader, lag.follower}
        and all(one in names or one.partition(" ")[0] == task for one in (lag.leader, lag.follower))
    ]
    return (
        *(statement for _, statement in told),
        *(Statement("correlated", lag.reason) for lag in timed),
    )


class _Random:
    """Strongest heads of randomly initialised networks, once for each size."""

    def __init__(self, measures: Sequence[Measure], draws: int, seed: int, device: str) -> None:
        self._measures, self._draws, self._seed, self._device = measures, draws, seed, device
        self._known: dict[tuple[object, ...], dict[str, float]] = {}

    def held_against(self, record: ModelRecord, readings: Mapping[str, Reading]) -> dict[str, Reading]:
        """The readings with the baseline of what was selected."""
        if self._draws < 1 or not any(reading.of for reading in readings.values()):
            return dict(readings)
        size = (record.family, record.layers, record.width, record.heads, record.params)
        key = size if record.layers else (record.name,)
        if key not in self._known:
            self._known[key] = self._strongest(record)
        base = self._known[key]
        return {
            name: msgspec.structs.replace(reading, baseline=base[name])
            if reading.of and name in base
            else reading
            for name, reading in readings.items()
        }

    def _strongest(self, record: ModelRecord) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        for model in random_models(record, self._draws, seed=self._seed, device=self._device):
            for name, reading in _measured(model, self._measures).items():
                if reading.of:
                    found.setdefault(name, []).append(reading.value)
        return {name: sum(values) / len(values) for name, values in found.items()}


def _measured(model: HookedModel, measures: Sequence[Measure]) -> dict[str, Reading]:
    return {name: reading for measure in measures for name, reading in measure(model).items()}


def _formed(track: Track, onset: Interval, task: str) -> tuple[tuple[int, float], Statement]:
    """How one curve lies to the onset, with a key to sort by."""
    what = _noun(track)
    where = f"the onset of {task} at {track.axis} {_place(onset.value)} {_span(onset)}"
    early = [i for i, at in enumerate(track.at) if at < onset.low]
    late = [i for i, at in enumerate(track.at) if at >= onset.high]
    if not early or not late:
        side = "before" if not early else "after"
        text = f"No checkpoint {side} {where} was measured, so when the {what} formed beside it is not known."
        return (3, 0.0), Statement("not_tested", text)
    start, before, after, end = (track.readings[i] for i in (0, early[-1], late[0], len(track.readings) - 1))
    at = f"{track.axis} {_place(track.at[early[-1]])}"
    then = f"{track.axis} {_place(track.at[late[0]])}"
    named = f"The {what}{_who(end)}"
    early_share = (before.value - start.value) / max(after.value - start.value, 1e-9)
    if _rose(start, before) and (early_share >= _EARLY or not _rose(before, after)):
        text = (
            f"{named} stood at {_number(before)} at {at}, the last checkpoint before {where}, up from "
            f"{_number(start)} at {track.axis} {_place(track.at[0])}{_against(before)}; it was at "
            f"{_number(after)} at {then} and at {_number(end)} at the end."
        )
        whole = max(reading.value for reading in track.readings) - start.value
        return (0, (start.value - before.value) / whole), Statement("correlated", text)
    if _rose(before, after):
        text = (
            f"{named} rose with it: {_number(before)} at {at}, the last checkpoint before {where}, and "
            f"{_number(after)} at {then}{_against(before)}; it was at {_number(end)} at the end."
        )
        return (1, -after.value), Statement("correlated", text)
    text = (
        f"{named} rose neither before {where} nor with it: {_number(before)} at {at}, {_number(after)} at "
        f"{then} and {_number(end)} at the end{_against(before)}."
    )
    return (2, -end.value), Statement("correlated", text)


def _noun(track: Track) -> str:
    role = track.name.partition(":")[0]
    return _NOUNS.get(role, f"scalar {track.name}")


def _who(end: Reading) -> str:
    """Which head it is, and how it was chosen."""
    if end.of:
        return f" (at each checkpoint the strongest of {end.of} heads, {end.component} at the end)"
    return f" {end.component}" if end.component else ""


def _against(reading: Reading) -> str:
    if reading.baseline is None:
        return ""
    whose = "the strongest in networks that have learned nothing" if reading.of else "baseline"
    return f" ({whose}: {reading.baseline:.2f})"


def _number(reading: Reading) -> str:
    if reading.low is None or reading.high is None:
        return f"{reading.value:.2f}"
    return f"{reading.value:.2f} [{reading.low:.2f}, {reading.high:.2f}]"


def _rose(one: Reading, other: Reading) -> bool:
    """Whether the second is higher by more than both intervals, and by what counts as having moved."""
    top = one.value if one.high is None else one.high
    bottom = other.value if other.low is None else other.low
    return bottom > top and other.value - one.value >= _MOVED


def _place(x: float) -> str:
    return f"{x:.0f}" if x < 1e5 else f"{x:.3g}"


def _span(at: Interval) -> str:
    return f"[{_place(at.low)}, {_place(at.high)}]"
