"""What was measured in one network after another: readings, the curves they make, and their rows in a store.

`saltus.interpret.development.follow` fills these; nothing here runs a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from scipy.special import ndtri

from saltus.interpret.network.hooked import HookedModel
from saltus.records import INTERNALS
from saltus.records.errors import UsageError
from saltus.records.evidence import Aggregate, ModelRecord
from saltus.records.explanations import Effect


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One number measured in one model.

    Attributes:
        value: The number.
        low: Lower end of its interval, None where there is none.
        high: Upper end.
        level: Of the interval.
        baseline: What to hold it against: uniform attention, chance; for a strongest head the strongest head
            of networks that have learned nothing, because a maximum over heads stands above its mean.
        n: Prompts behind it.
        component: What it is of, empty for the whole model.
        of: Of how many components it is the largest; 0 where none was selected.
        method: As in `saltus.records.Effect`, for readings of a component.
        metric: What the number is: "attention", "exact_match", ...
        task: Whose score it is, or whose prompts it was measured on; `saltus.records.INTERNALS` for none.
    """

    value: float
    low: float | None = None
    high: float | None = None
    level: float = 0.9
    baseline: float | None = None
    n: int = 0
    component: str = ""
    of: int = 0
    method: str = ""
    metric: str = "attention"
    task: str = INTERNALS


Measure = Callable[[HookedModel], Mapping[str, Reading]]


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity along the checkpoints of one model.

    Attributes:
        name: As the measure calls it: "induction" (the strongest head), "induction:L1H0" (that head).
        series: Name of the model.
        axis: "step", "tokens" or "params".
        at: Places in order, plain units.
        readings: One a place.
    """

    name: str
    series: str
    axis: str = "step"
    at: tuple[float, ...]
    readings: tuple[Reading, ...]


class Development(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured in each checkpoint.

    Attributes:
        records: Checkpoints that were measured, in the order given.
        readings: By name, one mapping a checkpoint.
        problems: One sentence for each checkpoint that could not be measured.
    """

    records: tuple[ModelRecord, ...]
    readings: tuple[Mapping[str, Reading], ...]
    problems: tuple[str, ...] = ()

    def tracks(self, axis: str = "step") -> list[Track]:
        """All curves with a place on the axis, by model and name; along "params" all models are one series.

        Raises:
            UsageError: The axis is none of step, tokens and params.
        """
        if axis not in ("step", "tokens", "params"):
            raise UsageError(f"development goes along step, tokens or params, not {axis!r}", field="axis")
        found: dict[tuple[str, str], list[tuple[float, Reading]]] = {}
        for record, readings in zip(self.records, self.readings, strict=True):
            place = getattr(record, axis)
            if place is not None:
                series = record.family if axis == "params" else record.name
                for name, reading in readings.items():
                    found.setdefault((series, name), []).append((float(place), reading))
        return [
            Track(
                name=name,
                series=series,
                axis=axis,
                at=tuple(place for place, _ in own),
                readings=tuple(reading for _, reading in own),
            )
            for (series, name), own in (
                (key, sorted(pairs, key=lambda pair: pair[0])) for key, pairs in sorted(found.items())
            )
        ]

    def scalars(self, series: str, axis: str = "step") -> dict[str, tuple[list[float], list[float]]]:
        """Scalars of one model as `saltus.emergence.early_warnings` takes them: places and values by name.

        The strongest heads and whatever belongs to the whole model; a named head is in `tracks`.
        """
        return {
            track.name: (list(track.at), [reading.value for reading in track.readings])
            for track in self.tracks(axis)
            if track.series == series and _is_whole(track.readings[0])
        }

    def effects(self, run: str) -> list[Effect]:
        """One row for each component of each checkpoint."""
        return [
            _effect(run, record, reading, readings)
            for record, readings in zip(self.records, self.readings, strict=True)
            for reading in readings.values()
            if reading.component and not reading.of
        ]

    def aggregates(self, run: str, named: Sequence[str] | None = None) -> list[Aggregate]:
        """Rows that become the curves of `saltus timeline` and of the early warnings.

        The strongest head at each checkpoint and, because which head that is may change on the way (and a
        maximum is biased upward), the curve of a head that stays the same.

        Args:
            run: Id of the run.
            named: Names of the readings of single heads to keep, such as "induction:L1H0"; by default the
                heads that are strongest at the last checkpoint of each model.
        """
        kept = set(self.named() if named is None else named)
        return [
            _aggregate(run, record, name, reading)
            for record, readings in zip(self.records, self.readings, strict=True)
            for name, reading in readings.items()
            if _is_whole(reading) or name in kept
        ]

    def named(self) -> tuple[str, ...]:
        """Readings of the heads that are strongest at the last checkpoint of their model."""
        last = dict(zip((record.name for record in self.records), self.readings, strict=True))
        return tuple(
            dict.fromkeys(
                f"{name}:{reading.component}"
                for readings in last.values()
                for name, reading in readings.items()
                if reading.of and f"{name}:{reading.component}" in readings
            )
        )


def _is_whole(reading: Reading) -> bool:
    """Whether it stands for the model: no component, or the strongest one."""
    return bool(reading.of) or not reading.component


def _effect(run: str, record: ModelRecord, reading: Reading, readings: Mapping[str, Reading]) -> Effect:
    detail: dict[str, float | int | None] = {}
    strongest = readings.get(reading.method)
    if strongest is not None and strongest.of and strongest.component == reading.component:
        detail = {"strongest_of": strongest.of, "strongest_in_random_networks": strongest.baseline}
    return Effect(
        run=run,
        model=record.id,
        task=reading.task,
        component=reading.component,
        method=reading.method,
        metric=reading.metric,
        effect=reading.value,
        low=reading.low,
        high=reading.high,
        level=reading.level,
        baseline=reading.baseline,
        n=reading.n,
        detail=msgspec.json.encode(detail).decode() if detail else "",
    )


def _aggregate(run: str, record: ModelRecord, name: str, reading: Reading) -> Aggregate:
    stderr = None
    if reading.low is not None and reading.high is not None:
        half = (reading.high - reading.low) / 2
        stderr = half / float(ndtri((1 + reading.level) / 2))
    return Aggregate(
        run=run,
        model=record.id,
        task=INTERNALS if reading.component else reading.task,
        metric=name if reading.component or reading.task == INTERNALS else reading.metric,
        value=reading.value,
        stderr=stderr,
        n=float(reading.n) if reading.n else None,
    )
