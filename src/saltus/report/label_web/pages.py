"""What the labelling pages show, rendered: never a model's name, a score or another rater's label."""

from __future__ import annotations

import threading
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from saltus.evals.labelling import View, find_queue, load_queues, queue_status, view_item
from saltus.evals.labelling.queue import Queue
from saltus.evals.labelling.session import Session
from saltus.records.errors import UsageError

if TYPE_CHECKING:
    import jinja2

    from saltus.store import Store

_KEPT = 256  # views and sessions; they can be made again


class Where(msgspec.Struct, frozen=True):
    """Who labels what, as the address says it.

    Attributes:
        queue: Id of the queue.
        rater: Name of the rater.
        disputed: Only disputed items.
    """

    queue: str
    rater: str
    disputed: bool = False

    @property
    def path(self) -> str:
        """Where the pages of this rater begin."""
        return f"/{'disputed' if self.disputed else 'queue'}/{self.queue}/{self.rater}"


class Desk:
    """The store behind the pages; one request at a time uses it.

    Args:
        store: Where queues are and labels go.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.RLock()
        self._queues: dict[str, Queue] = {}
        self._sessions: dict[Where, Session] = {}
        self._views: dict[tuple[str, int], View] = {}

    def home(self, queue: str = "", problem: str = "") -> str:
        """All queues, and the form by which a rater begins."""
        with self._lock:
            queues = load_queues(self._store)
        rows = [{"queue": one, "chosen": one.id == queue} for one in reversed(queues)]
        return _render("label_home.html.j2", queues=rows, problem=problem, title="Queues")

    def status(self, queue_id: str) -> str:
        """How a queue stands, without any label."""
        with self._lock:
            queue = self._queue(queue_id)
            status = queue_status(self._store, queue)
        return _render("label_status.html.j2", queue=queue, status=status, title=f"Queue {queue.id}")

    def after(self, where: Where) -> str:
        """The address of what waits next."""
        with self._lock:
            session = self._session(where)
            number = session.next()
        return f"{where.path}/mine" if number is None else f"{where.path}/{session.place(number)}"

    def item(self, where: Where, place: int) -> str:
        """One item."""
        with self._lock:
            session = self._session(where)
            number = session.at(place)
            view, label = self._view(session.queue, number), session.mine().get(number)
            progress = session.progress()
        return _render(
            "label_item.html.j2",
            where=where,
            place=place,
            last=len(session.order),
            question=session.queue.question,
            view=view,
            label=label,
            progress=progress,
            title=f"Item {place} of {len(session.order)}",
        )

    def mine(self, where: Where) -> str:
        """What a rater said."""
        with self._lock:
            session = self._session(where)
            mine, progress = session.mine(), session.progress()
        words = {option.mark: option.text for option in session.queue.question.options}
        rows: list[dict[str, Any]] = [
            {
                "place": session.place(number),
                "said": "Skipped" if label.skipped else words[label.mark],
                "reason": label.reason,
            }
            for number, label in mine.items()
        ]
        return _render(
            "label_mine.html.j2",
            where=where,
            rows=sorted(rows, key=lambda row: row["place"]),
            progress=progress,
            title="Your labels",
        )

    def say(self, where: Where, place: int, form: dict[str, str]) -> str:
        """Record what a form says; returns the address to go to."""
        with self._lock:
            session = self._session(where)
            number = session.at(place)
            match form.get("action"):
                case "undo":
                    undone = session.undo()
                    return f"{where.path}/{session.place(undone) if undone else place}"
                case "skip":
                    session.skip(number, form.get("reason", ""))
                case _:
                    session.answer(number, _mark(form.get("mark", "")))
            return self.after(where)

    def _queue(self, queue_id: str) -> Queue:
        if queue_id in self._queues:
            return self._queues[queue_id]
        queue = find_queue(self._store, queue_id)
        return self._queues.setdefault(queue.id, queue)

    def _session(self, where: Where) -> Session:
        if where not in self._sessions:
            _make_room(self._sessions)
            queue = self._queue(where.queue)
            self._sessions[where] = Session(self._store, queue, where.rater, disputed=where.disputed)
        return self._sessions[where]

    def _view(self, queue: Queue, number: int) -> View:
        key = (queue.id, number)
        if key not in self._views:
            _make_room(self._views)
            self._views[key] = view_item(self._store, queue, queue.item(number))
        return self._views[key]


def error_page(status: int, message: str) -> str:
    """A page that says what is wrong."""
    return _render("label_error.html.j2", status=status, message=message, title="Not done")


def _make_room(kept: dict[Any, Any]) -> None:
    while len(kept) >= _KEPT:
        del kept[next(iter(kept))]


def _mark(text: str) -> int | None:
    if text == "none":
        return None
    try:
        return int(text)
    except ValueError as error:
        raise UsageError(f"the form says the mark {text[:40]!r}, which is no number", field="mark") from error


def _render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    folder = files("saltus.report").joinpath("templates")
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
