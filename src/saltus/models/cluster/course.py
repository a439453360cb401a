"""One stream of requests through the workers: cut into batches, each given out until it is answered."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from saltus.models.cluster.crew import Crew, Hand
from saltus.models.cluster.worker import REPLIES, Replies, Subject, pack
from saltus.models.protocol import Deliver, Request
from saltus.records.errors import InputError, ModelError
from saltus.records.requests import GenerateRequest, LoglikelihoodRequest

_GIVE_UP_AFTER = 8  # requests that failed alone, with no answer between them
_DEATHS_IN_A_ROW = 8  # of workers, besides two for each worker that there may be
_UNABLE = 4  # workers that cannot load a model which none has loaded


class Counts(msgspec.Struct):
    """What the workers were given.

    Attributes:
        requests: Sent to workers, repeated ones included.
        repeated: Requests that were sent once more because a worker died.
        lost: Workers that died.
    """

    requests: int = 0
    repeated: int = 0
    lost: int = 0


class Batch(msgspec.Struct):
    """Requests of one kind that a worker gets together.

    Attributes:
        asked: Their places in the stream, and they.
        deaths: Workers that died while they had it.
    """

    asked: Sequence[tuple[int, Request]]
    deaths: int = 0

    def halves(self, deaths: int) -> list[Batch]:
        """Two batches, in order."""
        middle = len(self.asked) // 2
        return [Batch(self.asked[:middle], deaths), Batch(self.asked[middle:], deaths)]


class Course:
    """One call of `ClusterModel.stream`.

    Args:
        crew: The workers.
        subject: Whom the requests are for.
        size: Requests that are taken, and sorted by kind, at a time.
        counts: Added to.
        requests: Taken as batches are needed.
        deliver: Takes each answer.
    """

    def __init__(
        self,
        crew: Crew,
        subject: Subject,
        requests: Iterable[Request],
        deliver: Deliver,
        *,
        size: int,
        counts: Counts,
    ) -> None:
        self._crew, self._subject, self._size, self._counts = crew, subject, size, counts
        self._requests = enumerate(requests)
        self._deliver = deliver
        self._waiting: deque[Batch] = deque()
        self._exhausted = False
        self._failed_in_a_row = self._deaths_in_a_row = 0
        self._answered = False
        self._hopeless = ""  # why nothing is asked any more

    def run(self) -> None:
        """Answer everything; ends when the last answer is delivered."""
        try:
            while self._give_out():
                for hand, packed in self._crew.ready(self._lost):
                    self._take(hand, packed)
        finally:
            self._crew.dismiss(self._crew.busy)  # only when something was raised

    def _give_out(self) -> bool:
        """Keep all workers busy; False when there is nothing left to wait for."""
        crew = self._crew
        fingerprint = self._subject.fingerprint
        self._refill()
        while self._hopeless and self._waiting:
            for place, _ in self._waiting.popleft().asked:
                self._deliver(place, ModelError(self._hopeless))
            self._refill()
        for hand in crew.idle(fingerprint):
            if self._waiting:
                self._send(hand, self._waiting.popleft())
        if self._waiting:
            crew.grow(len(self._waiting))
        return bool(crew.busy or self._waiting)

    def _refill(self) -> None:
        """Have a batch ready for every worker that is not busy, and one more."""
        wanted = self._crew.most - len(self._crew.busy) + 1
        while len(self._waiting) < wanted and not self._exhausted:
            chunk = list(itertools.islice(self._requests, self._size))
            self._exhausted = len(chunk) < self._size
            for kind in (GenerateRequest, LoglikelihoodRequest):
                asked = [one for one in chunk if isinstance(one[1], kind)]
                if asked:
                    self._waiting.append(Batch(asked))

    def _send(self, hand: Hand, batch: Batch) -> None:
        requests = [request for _, request in batch.asked]
        self._counts.requests += len(requests)
        self._counts.repeated += len(requests) if batch.deaths else 0
        self._crew.give(hand, batch, self._subject, pack(requests))

    def _take(self, hand: Hand, packed: bytes) -> None:
        batch, hand.batch = hand.batch, None
        replies = REPLIES(packed)
        if replies.unloadable:
            self._counts.requests -= len(batch.asked)
            hand.unable = self._subject.fingerprint
            self._waiting.appendleft(batch)
            self._see_whether_any_can(replies.failed)
        elif replies.failed:
            self._failed(batch, (InputError if replies.impossible else ModelError)(replies.failed))
        else:
            self._failed_in_a_row = self._deaths_in_a_row = 0
            self._answered = True
            if self._waiting:  # the worker goes on while the answers are written down
                self._send(hand, self._waiting.popleft())
            self._deliver_all(batch, replies)

    def _deliver_all(self, batch: Batch, replies: Replies) -> None:
        for at, ((place, _), answer) in enumerate(zip(batch.asked, replies.answers, strict=True)):
            said = ModelError(replies.problems[at]) if answer is None else answer
            self._deliver(place, said, replies.seconds[at])

    def _failed(self, batch: Batch, problem: Any) -> None:
        """As in a local run: ask the halves, down to the requests that fail alone."""
        if len(batch.asked) == 1:
            self._failed_in_a_row += 1
        if len(batch.asked) == 1 or self._failed_in_a_row >= _GIVE_UP_AFTER:
            for place, _ in batch.asked:
                self._deliver(place, problem)
        else:
            self._waiting.extendleft(reversed(batch.halves(batch.deaths)))

    def _lost(self, hand: Hand, error: Exception) -> None:
        """A worker died: others take up its batch; what kills again and again is cut down and given up."""
        self._counts.lost += 1
        batch: Batch | None = hand.batch
        if batch is None:
            return
        batch.deaths += 1
        self._deaths_in_a_row += 1
        said = f"{type(error).__name__} on {hand.machine}"
        if self._deaths_in_a_row >= _DEATHS_IN_A_ROW + 2 * self._crew.most:
            self._hopeless = (
                f"{self._deaths_in_a_row} workers in a row died while they were asked ({said}); see whether "
                "the model fits into their memory"
            )
            self._waiting.appendleft(batch)
        elif batch.deaths < 2:
            self._waiting.appendleft(batch)
        elif len(batch.asked) > 1:
            self._waiting.extendleft(reversed(batch.halves(1)))
        else:
            [(place, _)] = batch.asked
            problem = f"{batch.deaths} workers died while they were asked this ({said})"
            self._deliver(place, ModelError(problem))

    def _see_whether_any_can(self, problem: str) -> None:
        crew = self._crew
        unable = [hand for hand in crew.hands if hand.unable == self._subject.fingerprint]
        all_of_them = len(unable) >= crew.most
        if all_of_them or (len(unable) >= _UNABLE and not self._answered and not crew.busy):
            self._hopeless = problem
