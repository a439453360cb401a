"""`Cluster`: joins a Ray cluster; `evaluate(..., load=cluster.load)` then asks the models there."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from saltus.models.cluster.address import Place, parse_place
from saltus.models.cluster.course import Counts, Course
from saltus.models.cluster.crew import Crew, Shape
from saltus.models.cluster.model import ClusterModel
from saltus.models.cluster.worker import Subject
from saltus.models.load import load_model
from saltus.models.protocol import Deliver, Model, Request, StreamingModel
from saltus.records.errors import MissingExtraError, ModelError, UsageError
from saltus.records.evidence import ModelRecord

_SHARED = ("max_cost", "max_tokens_total", "requests_per_minute", "tokens_per_minute")
_OBJECTS = 256 * 2**20  # bytes of shared memory of a local cluster; batches are small


class Cluster:
    """Workers that answer in the place of this machine.

    Args:
        url: `ray://local:N`, `ray://auto` or `ray://HOST:PORT`; see `saltus.models.cluster.address.Place` for
            the options behind a question mark.
        load: Makes a model from its record and options, on this machine and on the workers.

    Attributes:
        counts: What the workers were given, and how many died.

    Raises:
        UsageError: The URL is none.
        MissingExtraError: Ray is not installed.
        ModelError: The cluster cannot be reached.

    Examples:
        ```python
        with Cluster("ray://head:10001?gpus=1") as cluster:
            evaluate(series, "my-suite.toml", store=store, load=cluster.load)
        ```
    """

    def __init__(self, url: str, *, load: Callable[..., Model] = load_model) -> None:
        self._place = parse_place(url)
        self._load = load
        self._crew: Crew | None = None
        self.counts = Counts()
        self._ray, self._ours = _connect(self._place)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def workers(self) -> list[tuple[str, int]]:
        """Machine and process id of each worker that has started."""
        return (
            [(hand.machine, hand.process) for hand in self._crew.hands if hand.process] if self._crew else []
        )

    @property
    def busy(self) -> list[tuple[str, int]]:
        """Machine and process id of each worker that answers something just now."""
        return [(hand.machine, hand.process) for hand in self._crew.busy] if self._crew else []

    def load(self, record: ModelRecord, **options: Any) -> ClusterModel:
        """Make a model that is asked on the workers.

        Raises:
            UsageError: An option is one that workers cannot keep to together.
            ModelError: As `saltus.models.load_model` says.
        """
        if beyond := [name for name in _SHARED if options.get(name) is not None]:
            raise UsageError(
                f"{beyond[0]} cannot be kept to by workers that do not know of each other; run without a "
                "cluster, or without it",
                field=beyond[0],
            )
        inner = self._load(record, **options)
        remote = isinstance(inner, StreamingModel)
        threads = 1 if remote else _threads(options)
        if not remote and self._load is load_model:
            options = {**options, "threads": threads}  # rounding depends on their number
        shape = self._shape(remote=remote, threads=threads, device=str(options.get("device", "auto")))

        def ask(requests: Iterable[Request], deliver: Deliver) -> None:
            subject = Subject(record, options, inner.fingerprint, self._load)
            crew = self._crew_of(shape)
            Course(crew, subject, requests, deliver, size=self._place.batch, counts=self.counts).run()

        return ClusterModel(inner, ask)

    def close(self) -> None:
        """End the workers, and the cluster if it was started here."""
        if self._crew is not None:
            self._crew.dismiss(list(self._crew.hands))
            self._crew = None
        if self._ours:
            self._ray.shutdown()
            self._ours = False

    def note(self) -> str:
        """What went wrong without costing an answer; empty when nothing did."""
        lost, repeated = self.counts.lost, self.counts.repeated
        if not lost:
            return ""
        return f"{lost} worker{'s' if lost > 1 else ''} died; {repeated:,} requests were asked once more"

    def _shape(self, *, remote: bool, threads: int, device: str) -> Shape:
        place = self._place
        cpus = place.cpus or (1.0 if place.kind == "local" else float(threads))
        gpus = place.gpus
        if gpus is None:
            has_some = self._ray.cluster_resources().get("GPU", 0) >= 1
            gpus = 1.0 if has_some and not remote and device != "cpu" else 0.0
        return Shape(cpus, gpus)

    def _crew_of(self, shape: Shape) -> Crew:
        if self._crew is None or self._crew.shape != shape:
            if self._crew is not None:
                self._crew.dismiss(list(self._crew.hands))
            self._crew = Crew(self._ray, shape, self._place.workers or self._room(shape))
        return self._crew

    def _room(self, shape: Shape) -> int:
        """How many workers the machines have room for."""
        has = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        asked = [(name, value) for name, value in (("CPU", shape.cpus), ("GPU", shape.gpus)) if value]
        room = sum(min(int(one.get(name, 0) // value) for name, value in asked) for one in has)
        if not room:
            wanted = " and ".join(f"{value:g} {name}s" for name, value in asked)
            most = " and ".join(f"{max((one.get(n, 0) for one in has), default=0):g} {n}s" for n, _ in asked)
            raise UsageError(
                f"each worker asks for {wanted}, and no machine of the cluster has more than {most}; ask "
                "for less with -O threads=N or ray://auto?cpus=N, or give ray://auto?workers=N where "
                "machines are added on demand",
                field="on",
            )
        return room


def _connect(place: Place) -> tuple[Any, bool]:
    """Ray, connected, and whether to end the connection."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if place.kind == "local":
        # The name is of the past; without it Ray listens on all interfaces, with it on the loopback one.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            'workers need Ray, which is not installed; install it with: pip install "saltus[ray]"', field="on"
        ) from error
    if ray.is_initialized():
        return ray, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters is raised
            ray.init(**_how(place))
    except (ConnectionError, RuntimeError, ImportError, ValueError) as error:
        where = place.address.removeprefix("ray://") or "this machine"
        raise ModelError(
            f"no Ray cluster answers at {where} ({str(error).splitlines()[0]}); see `ray status` there, or "
            "use ray://local:2 for a cluster on this machine"
        ) from error
    return ray, True


def _how(place: Place) -> dict[str, Any]:
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if place.kind != "local":
        return {"address": place.address, **quiet}
    count = place.workers or os.cpu_count() or 1
    return {
        "address": "local",
        "num_cpus": count,
        "include_dashboard": False,
        "object_store_memory": _OBJECTS,
        **quiet,
    }


def _threads(options: dict[str, Any]) -> int:
    """How many threads a run on this machine would compute with."""
    from saltus.models.network import require_torch

    given = options.get("threads")
    return int(given) if given is not None else int(require_torch()[0].get_num_threads())
