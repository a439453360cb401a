"""The ledger: append-only events, each with the hash of the one before, kept in SQLite by SQLAlchemy.

What was planned, found and decided goes here; `verify` walks the chain and names the first wrong event.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import sqlalchemy as sa

from saltus.records.errors import InputError, StoreError, UsageError
from saltus.records.ids import content_hash

_START = "0" * 64
_BUSY_SECONDS = 60
_METADATA = sa.MetaData()
_EVENTS = sa.Table(
    "events",
    _METADATA,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, index=True),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("prev", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sqlite_autoincrement=True,  # SQLite then remembers the last number, also when events are cut off
)
for _verb in ("UPDATE", "DELETE"):
    sa.event.listen(
        _EVENTS,
        "after_create",
        sa.DDL(  # type: ignore[no-untyped-call]
            f"CREATE TRIGGER events_no_{_verb.lower()} BEFORE {_verb} ON events "
            f"BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        ).execute_if(dialect="sqlite"),
    )


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the ledger.

    Attributes:
        seq: Place in the chain, from 1.
        time: When it was appended, seconds since the epoch.
        kind: What happened, e.g. "finding", "plan".
        actor: Who or what did it.
        payload: The details.
        prev: Hash of the event before, 64 zeros for the first.
        hash: SHA-256 over everything above.
    """

    seq: int
    time: float
    kind: str
    actor: str
    payload: dict[str, Any]
    prev: str
    hash: str


class VerifyResult(msgspec.Struct, frozen=True, kw_only=True):
    """What walking the chain found.

    Attributes:
        ok: The chain is whole.
        events: Events that were read.
        head: Hash of the last event read; note it elsewhere to prove later that nothing was rewritten.
        broken: Sequence number of the first event that does not fit, None when the chain is whole.
        reason: One sentence.
    """

    ok: bool
    events: int
    head: str
    broken: int | None = None
    reason: str = ""


class Ledger:
    """Events in order.

    Args:
        url: An SQLAlchemy URL; SQLite is the one that works as yet.
    """

    def __init__(self, url: str) -> None:
        address = sa.make_url(url)
        if address.get_backend_name() != "sqlite":
            raise UsageError(
                f"the ledger cannot live in {address.get_backend_name()} yet; use a sqlite:/// URL"
            )
        self._path = address.database or ""
        # AUTOCOMMIT leaves BEGIN and COMMIT to us: an append takes the write lock before it reads the head.
        # A connection a call costs little and survives forks.
        self._engine = sa.create_engine(
            address,
            isolation_level="AUTOCOMMIT",
            poolclass=sa.NullPool,
            connect_args={"timeout": _BUSY_SECONDS},
        )

    def append(self, kind: str, payload: Mapping[str, Any], *, actor: str = "") -> Event:
        """Add an event; several processes may do so at once and the chain stays one.

        Args:
            kind: What happened.
            payload: JSON-like details; structs are fine.
            actor: Who or what did it.

        Raises:
            InputError: The payload is no JSON.
            StoreError: The file cannot be written.
        """
        try:
            text = msgspec.json.encode(payload, order="deterministic").decode()
            details = msgspec.json.decode(text, type=dict[str, Any])
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
            raise InputError(f"the payload of a ledger event must be a JSON object: {error}") from error
        with self._connection() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                last = connection.execute(
                    sa.select(_EVENTS.c.seq, _EVENTS.c.hash).order_by(_EVENTS.c.seq.desc()).limit(1)
                ).first()
                seq, prev = (last.seq + 1, last.hash) if last else (1, _START)
                now = time.time()
                row = {"seq": seq, "time": now, "kind": kind, "actor": actor, "payload": text, "prev": prev}
                link = _hash(row)
                connection.execute(sa.insert(_EVENTS).values(**row, hash=link))
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                driver = connection.connection.driver_connection
                if driver is not None and driver.in_transaction:  # a full disk rolls back by itself
                    connection.exec_driver_sql("ROLLBACK")
                raise
        return Event(seq=seq, time=now, kind=kind, actor=actor, payload=details, prev=prev, hash=link)

    def events(self, kind: str | None = None, limit: int | None = None, *, after: int = 0) -> list[Event]:
        """Events in order, of one kind or all; `limit` keeps the newest, `after` those behind that number."""
        query = sa.select(_EVENTS).order_by(_EVENTS.c.seq.desc()).limit(limit)
        if after:
            query = query.where(_EVENTS.c.seq > after)
        if kind is not None:
            query = query.where(_EVENTS.c.kind == kind)
        with self._connection() as connection:
            rows = connection.execute(query).all()
        return [_event(row) for row in reversed(rows)]

    def verify(self, *, head: str | None = None) -> VerifyResult:
        """Walk the chain from the first event.

        Args:
            head: A head that was noted before; an event must still have it.
        """
        seq, prev, noted = 0, _START, head in (None, _START)
        with self._connection() as connection:
            for row in connection.execute(sa.select(_EVENTS).order_by(_EVENTS.c.seq)):
                reason = _fault(row, seq + 1, prev)
                if reason:
                    return VerifyResult(ok=False, events=seq, head=prev, broken=seq + 1, reason=reason)
                seq, prev = row.seq, row.hash
                noted = noted or prev == head
            given_out = connection.exec_driver_sql(
                "SELECT max(seq) FROM sqlite_sequence WHERE name = 'events'"
            ).scalar()
        if (given_out or 0) > seq:
            reason = f"Events {seq + 1} to {given_out} were appended and are gone."
            return VerifyResult(ok=False, events=seq, head=prev, broken=seq + 1, reason=reason)
        if not noted:
            reason = "No event has the head that was noted: the chain was cut or written anew."
            return VerifyResult(ok=False, events=seq, head=prev, broken=seq + 1, reason=reason)
        return VerifyResult(ok=True, events=seq, head=prev, reason=f"All {seq} events are in one chain.")

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                _create(connection)
                yield connection
        except sa.exc.DBAPIError as error:
            cause = str(error.orig)
            if "append-only" in cause:
                raise
            mend = (
                "free some space" if "full" in cause else "check the file, or move it away to start a new one"
            )
            raise StoreError(f"the ledger failed ({cause}); {mend}", path=self._path) from error


def _create(connection: sa.Connection) -> None:
    if sa.inspect(connection).has_table("events"):
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        _METADATA.create_all(connection)  # looks again: another process may have been first
    finally:
        connection.exec_driver_sql("COMMIT")


def _hash(row: Mapping[str, Any]) -> str:
    parts = [row[name] for name in ("seq", "time", "kind", "actor", "payload", "prev")]
    return content_hash(parts, length=64)


def _fault(row: sa.Row[Any], seq: int, prev: str) -> str:
    if row.seq != seq:
        return f"Event {seq} is missing; the next one is {row.seq}."
    if row.prev != prev:
        return f"Event {seq} does not follow the one before: its `prev` is not that event's hash."
    if row.hash != _hash(dict(row._mapping)):
        return f"Event {seq} was changed: its content does not give its hash."
    return ""


def _event(row: sa.Row[Any]) -> Event:
    payload = msgspec.json.decode(row.payload, type=dict[str, Any])
    return Event(
        seq=row.seq,
        time=row.time,
        kind=row.kind,
        actor=row.actor,
        payload=payload,
        prev=row.prev,
        hash=row.hash,
    )
