"""What a watch says: one event at a time, the same to the terminal, to programs and to the webhook."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from saltus.records import EarlyWarning, Finding, content_hash

Kind = Literal[
    "checkpoint",
    "finding",
    "changed",
    "withdrawn",
    "early_warning",
    "failed",
    "skipped",
    "incomplete",
    "refused",
    "webhook",
]
SENT: tuple[Kind, ...] = (
    "finding",
    "changed",
    "withdrawn",
    "early_warning",
    "failed",
    "skipped",
    "incomplete",
    "refused",
)
PROBLEMS: tuple[Kind, ...] = ("failed", "skipped", "incomplete", "refused")


class TaskScore(msgspec.Struct, frozen=True, kw_only=True):
    """The headline score of one task at a checkpoint.

    Attributes:
        before: Score at the checkpoint before, None at the first.
        moves: "up" or "down" where the two differ by more than 1.96 standard errors of their difference,
            "same" where they do not, empty at the first.
    """

    task: str
    metric: str
    value: float
    n: float | None = None
    before: float | None = None
    moves: Literal["up", "down", "same", ""] = ""


class WatchEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened while watching.

    Attributes:
        kind: "checkpoint" (evaluated), "finding" (a jump that was not there before), "changed" (another onset
            or another artifact check), "withdrawn" (what was announced no longer holds), "early_warning",
            "failed" (could not be evaluated, or not all of it), "skipped" (deleted before it was read),
            "incomplete" (not whole for long), "refused" (no step can be told), "webhook" (an event that could
            not be delivered; never sent itself).
        headline: One line for people.
        id: The same event has the same id, after a restart too: receivers tell repeats by it.
        series: Name of the training run.
        step: Of the checkpoint after which it was said.
        path: Folder of the checkpoint.
        reasons: Plain sentences.
        look: Number of the look at the series, and `level`, the error rate spent on it.
        scores: Of a checkpoint.
        seconds: That evaluating and looking took, with `requests` sent to the model.
        finding: The finding, as it was recorded.
        warning: The early warning, as it was recorded.
        was: The headline that this one replaces.
    """

    kind: Kind
    headline: str
    id: str = ""
    series: str = ""
    step: float | None = None
    path: str = ""
    reasons: tuple[str, ...] = ()
    look: int = 0
    level: float | None = None
    scores: tuple[TaskScore, ...] = ()
    seconds: float | None = None
    requests: int | None = None
    finding: Finding | None = None
    warning: EarlyWarning | None = None
    was: str = ""
    time: float = 0.0

    def named(self, watch: str, moment: float) -> WatchEvent:
        """The event with its id and time; the id is a hash of what it says, of the time it is not."""
        about = self.finding.id if self.finding else self.warning
        said = [watch, self.kind, self.series, self.step, self.path, self.look, self.headline, about]
        return msgspec.structs.replace(self, id=content_hash(said), time=moment)

    @property
    def text(self) -> str:
        """The event in words, with its first reasons; what chat programs show."""
        where = " ".join(part for part in (self.series, _step(self.step)) if part)
        lines = [f"{where}: {self.headline}" if where else self.headline, *self.reasons[:2]]
        return "\n".join(lines)


class WatchSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a watch did from its start to its end.

    Attributes:
        evaluated: Checkpoints that were evaluated.
        known: Checkpoints that an earlier start had evaluated.
        failed: Checkpoints that could not be evaluated, or not all of them.
        findings: Jumps announced (without withdrawals), and `warnings`, early ones.
        requests: Requests sent to models.
        undelivered: Events that wait for the webhook; the next start delivers them.
        why: Why it ended: "once", "until", "idle".
    """

    evaluated: int
    known: int
    failed: int
    findings: int
    warnings: int
    requests: int
    undelivered: int
    seconds: float
    why: str
    series: tuple[str, ...] = ()


def payload(event: WatchEvent, version: str) -> dict[str, Any]:
    """What the webhook gets: the event, `text` for chat programs, and the finding without its curves."""
    body: dict[str, Any] = msgspec.to_builtins(event)
    if event.finding is not None:
        for heavy in ("fits", "band", "points"):
            body["finding"].pop(heavy, None)
    return body | {"text": event.text, "version": version}


def _step(step: float | None) -> str:
    return "" if step is None else f"step {step:,.0f}"
