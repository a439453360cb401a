"""The workers of a cluster: started as they are needed, kept from model to model, replaced when they die."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from saltus._version import __version__
from saltus.models.cluster.worker import Worker
from saltus.records.errors import ModelError, UsageError

_START_SECONDS = 600.0  # a cluster that grows on demand takes minutes
_FAILED_STARTS = 8


class Shape(msgspec.Struct, frozen=True):
    """What each worker asks the cluster for."""

    cpus: float = 1.0
    gpus: float = 0.0


class Hand:
    """One worker.

    Attributes:
        batch: What it is busy with, None when it is idle or starting.
        machine: Name of the machine it runs on, empty until it has started.
        process: Id of its process there.
        unable: Fingerprint of a model that it cannot load.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.ref: Any = actor.hello.remote()
        self.batch: Any = None
        self.machine, self.process = "", 0
        self.unable = ""


class Crew:
    """Workers of one shape.

    Args:
        ray: The module, connected.
        shape: What each worker asks for.
        most: How many there may be.
    """

    def __init__(self, ray: Any, shape: Shape, most: int) -> None:
        self.shape, self.most = shape, most
        self.hands: list[Hand] = []
        self._ray = ray
        self._failed_starts = 0
        self._quiet_since = time.monotonic()
        self._actor = ray.remote(num_cpus=shape.cpus, num_gpus=shape.gpus, max_restarts=0)(Worker)

    def idle(self, fingerprint: str) -> list[Hand]:
        """Workers with nothing to do that can load a model."""
        return [hand for hand in self.hands if hand.ref is None and hand.unable != fingerprint]

    @property
    def busy(self) -> list[Hand]:
        """Workers that answer a batch."""
        return [hand for hand in self.hands if hand.batch is not None]

    @property
    def starting(self) -> list[Hand]:
        """Workers that have not said hello."""
        return [hand for hand in self.hands if not hand.process]

    def grow(self, wanted: int) -> None:
        """Have so many workers starting, as far as there is room."""
        for _ in range(min(wanted - len(self.starting), self.most - len(self.hands))):
            self.hands.append(Hand(self._actor.remote()))

    def give(self, hand: Hand, batch: Any, subject: Any, packed: bytes) -> None:
        """Let a worker answer a batch."""
        hand.batch = batch
        hand.ref = hand.actor.ask.remote(subject, packed)

    def ready(self, gone: Callable[[Hand, Exception], None]) -> Iterator[tuple[Hand, bytes]]:
        """Wait until something happened; gives the workers that answered.

        Args:
            gone: Called with each worker that died, which is no longer one of the crew.

        Raises:
            ModelError: No worker starts, or the cluster cannot be reached any more.
            UsageError: The workers have another version of Saltus.
        """
        known = {hand.ref: hand for hand in self.hands if hand.ref is not None}
        try:
            done, _ = self._ray.wait(list(known), num_returns=1, timeout=1.0)
            if done and len(known) > 1:  # whatever else is there by now
                done, _ = self._ray.wait(list(known), num_returns=len(known), timeout=0)
        except ConnectionError as error:
            raise _unreachable(error) from error
        if done or self.busy:
            self._quiet_since = time.monotonic()
        elif time.monotonic() - self._quiet_since > _START_SECONDS:
            raise self._none_starts()
        for ref in done:
            hand = known[ref]
            try:
                found = self._ray.get(ref)
            except self._ray.exceptions.RayError as error:
                self._bury(hand)
                if not hand.process:
                    self._failed_to_start(error)
                else:
                    gone(hand, error)
                continue
            except ConnectionError as error:
                raise _unreachable(error) from error
            hand.ref = None
            if hand.process:
                yield hand, found
            else:
                self._greet(hand, *found)

    def dismiss(self, hands: list[Hand]) -> None:
        """End workers, whatever they do."""
        for hand in hands:
            self._bury(hand)

    def _bury(self, hand: Hand) -> None:
        self.hands.remove(hand)
        self._ray.kill(hand.actor)

    def _greet(self, hand: Hand, version: str, machine: str, process: int) -> None:
        if version != __version__:
            raise UsageError(
                f"the worker on {machine} has Saltus {version} and this is {__version__}; install the same "
                "version on the whole cluster",
                field="on",
            )
        hand.machine, hand.process = machine, process
        self._failed_starts = 0

    def _failed_to_start(self, error: Exception) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _FAILED_STARTS:
            raise ModelError(
                f"{self._failed_starts} workers in a row did not start ({_first_line(error)}); see that "
                "the Python that Ray runs on each machine has Saltus with its extra for local models"
            ) from error

    def _none_starts(self) -> ModelError:
        return ModelError(
            f"no worker started within {_START_SECONDS:.0f} s: each asks for {self.shape.cpus:g} CPUs and "
            f"{self.shape.gpus:g} GPUs; free some, or ask for less, as in ray://auto?cpus=1"
        )


def _unreachable(error: Exception) -> ModelError:
    return ModelError(
        f"the cluster cannot be reached any more ({_first_line(error)}); when it can be, the same "
        "command goes on"
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
