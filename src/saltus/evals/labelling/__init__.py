"""Human review: a queue of responses is drawn, people label it blind, and the labels become scores.

Start at `queue.make_queue`; `session.Session` is one rater at work, `status`, `export` and `apply` read what
was said. Queues and labels are events of the ledger: one chain, never rewritten, safe with many processes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltus.evals.labelling.apply import apply_labels
    from saltus.evals.labelling.export import label_rows
    from saltus.evals.labelling.journal import Journal, Label
    from saltus.evals.labelling.question import Question, find_question
    from saltus.evals.labelling.queue import Queue, QueueItem, find_queue, load_queues, make_queue
    from saltus.evals.labelling.session import Session
    from saltus.evals.labelling.status import queue_status
    from saltus.evals.labelling.view import View, view_item

_HOME = {
    "Journal": "journal",
    "Label": "journal",
    "Question": "question",
    "Queue": "queue",
    "QueueItem": "queue",
    "Session": "session",
    "View": "view",
    "apply_labels": "apply",
    "find_question": "question",
    "find_queue": "queue",
    "label_rows": "export",
    "load_queues": "queue",
    "make_queue": "queue",
    "queue_status": "status",
    "view_item": "view",
}

__all__ = [
    "Journal",
    "Label",
    "Question",
    "Queue",
    "QueueItem",
    "Session",
    "View",
    "apply_labels",
    "find_question",
    "find_queue",
    "label_rows",
    "load_queues",
    "make_queue",
    "queue_status",
    "view_item",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
