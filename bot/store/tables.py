"""The tables, as SQLAlchemy Core: one truth for queries, for migrations and for the test that compares them.

::

    conversations ─┬─ turns            what was asked and answered, in order
                   └─ runs ── tasks ── chunks      executions, their strands, their output

    claims          events that were handled        channels, users     what a channel, and a person, has set
    workers         processes that own runs              orders              what they tell each other

Nothing here is SQLite's own; the migrations in ``migrations/versions`` build the same tables step by step.
"""

import json
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
    true,
)

from bot.core.run import RunState, TaskState
from bot.model import Invocation


class PlainText(TypeDecorator[str]):
    """Text that every database takes: lone surrogates become ``?`` and NUL becomes U+FFFD.

    Both can come out of a service's JSON; drivers refuse the first and PostgreSQL the second.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  SQLAlchemy's signature
        """The text as it is stored."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.encode(errors="replace").decode().replace("\0", "\ufffd")


# Made here and not where it is needed: two threads that meet a type for the first time at once crash the process.
_invocation = msgspec.json.Decoder(Invocation)


class InvocationJson(TypeDecorator[Invocation]):
    """An Invocation as a JSON object; its strings are cleaned like PlainText."""

    impl = PlainText
    cache_ok = True

    def process_bind_param(self, value: Invocation | None, dialect: Dialect) -> str | None:  # noqa: ARG002  SQLAlchemy's signature
        """The JSON text. The standard encoder lets lone surrogates pass, which PlainText then replaces."""
        return None if value is None else json.dumps(msgspec.to_builtins(value), ensure_ascii=False)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Invocation | None:  # noqa: ARG002  SQLAlchemy's signature
        """The value again."""
        return None if value is None else _invocation.decode(value)


def _states(of: type[RunState] | type[TaskState]) -> Enum:
    return Enum(
        of,
        name=None,
        native_enum=False,
        create_constraint=False,  # a new state must not need a new table
        length=16,
        values_callable=lambda states: [state.value for state in states],
    )


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

claims = Table(
    "claims",
    metadata,
    Column("key", PlainText, primary_key=True),
    Column("claimed_at", Double, nullable=False, index=True),
)

channels = Table(
    "channels",
    metadata,
    Column("workspace", PlainText, primary_key=True),
    Column("channel", PlainText, primary_key=True),
    Column("repo", PlainText),
    Column("changed_by", PlainText, nullable=False),
    Column("changed_at", Double, nullable=False),
)

# ``first_seen`` is when the person first set anything.
users = Table(
    "users",
    metadata,
    Column("workspace", PlainText, primary_key=True),
    Column("user", PlainText, primary_key=True),
    Column("repo", PlainText),
    Column("branch", PlainText),
    Column("model", PlainText),
    Column("notify", Boolean, nullable=False, server_default=true()),
    Column("first_seen", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
)

# Ids are never given out again (``sqlite_autoincrement``): messages in Slack outlive the rows.
conversations = Table(
    "conversations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace", PlainText, nullable=False),
    Column("channel", PlainText, nullable=False),
    Column("thread_ts", PlainText),
    Column("repo", PlainText),
    Column("branch", PlainText),
    Column("model", PlainText),
    Column("directory", PlainText),
    Column("upstream_thread", PlainText),
    Column("muted", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("workspace", "channel", "thread_ts"),
    sqlite_autoincrement=True,
)

turns = Table(
    "turns",
    metadata,
    Column("conversation", ForeignKey("conversations.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("prompt", PlainText, nullable=False),
    Column("answer", PlainText, nullable=False, server_default=text("''")),
)

# ``rank`` orders those that wait. It begins past every ``seq``, which is the order of the requests; where two requests
# get the same one at a time, ``seq`` decides. ``owner`` is the process that is responsible for the run's next step until
# everything about its end is with Slack: then it is ``settled``. ``outcome`` is what its closing messages say (JSON),
# ``parts`` how many of those were posted. ``job`` is what it was handed out as to a job queue (see dispatching.py). While one
# that waits is ``held``, nothing starts in its conversation (see holding.py).
runs = Table(
    "runs",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", PlainText, nullable=False, unique=True),
    Column("workspace", PlainText, nullable=False),
    Column("channel", PlainText, nullable=False),
    Column("conversation", Integer, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("requester", PlainText, nullable=False),
    Column("invocation", InvocationJson, nullable=False),
    Column("state", _states(RunState), nullable=False),
    Column("in_thread", Boolean, nullable=False),
    Column("request_ts", PlainText),
    Column("status_ts", PlainText),
    Column("focus", PlainText),
    Column("attempt", Integer, nullable=False),
    Column("ready", Boolean, nullable=False, server_default=false()),
    Column(
        "rank",
        Integer,
        nullable=False,
        server_default="0",
        default=text("(SELECT coalesce(max(seq), 0) + 1 FROM runs)"),
    ),
    Column("owner", PlainText),
    Column("note", PlainText, nullable=False, server_default=text("''")),
    Column("answer", PlainText, nullable=False, server_default=text("''")),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double, index=True),
    Column("settled", Boolean, nullable=False, server_default=false()),
    Column("outcome", PlainText),
    Column("parts", Integer, nullable=False, server_default="0"),
    Column("job", BigInteger),
    Column("held", Boolean, nullable=False, server_default=false()),
    ForeignKeyConstraint(["conversation", "turn"], ["turns.conversation", "turns.ordinal"]),
    Index(None, "state", "ready", "rank"),  # the queue
    Index(
        "ix_runs_held", "state", "conversation", sqlite_where=text("held = 1"), postgresql_where=text("held")
    ),
    Index(None, "workspace", "state", "rank"),  # a workspace's part of it
    Index(None, "conversation", "state", "rank"),  # what runs and waits in a thread
    Index(None, "conversation", "turn", "seq"),  # a thread's past, and what was last
    Index(None, "workspace", "channel", "request_ts"),  # an edited or deleted request
    Index(None, "workspace", "requester", "created_at", "seq"),  # a person's own runs, of late
    Index(None, "settled", "owner"),  # what an owner still has to do
    sqlite_autoincrement=True,
)

# The processes that own runs or may. ``beat_at`` is by the database's clock; ``slot`` is the number of the locked file
# beside a database file, see workers.py.
workers = Table(
    "workers",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("host", PlainText, nullable=False),
    Column("role", PlainText, nullable=False),
    Column("slot", Integer),
    Column("started_at", Double, nullable=False),
    Column("beat_at", Double, nullable=False),
)

# How many messages a process edits in a workspace, by which the processes share the workspace's budget (see live.py).
live = Table(
    "live",
    metadata,
    Column("worker", PlainText, primary_key=True),
    Column("workspace", PlainText, primary_key=True),
    Column("messages", Integer, nullable=False),
)

# What one process asks another one, ``worker``, to do (see orders.py); ``payload`` is JSON.
orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("worker", PlainText, nullable=False),
    Column("kind", PlainText, nullable=False),
    Column("payload", PlainText, nullable=False),
    Column("created_at", Double, nullable=False),
    Index(None, "worker", "id"),
)

# ``log_file`` is Slack's id of the file with the complete output. ``chunk_count``, ``head_count`` and ``output_size`` are
# the output's bookkeeping (see output.py).
tasks = Table(
    "tasks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", PlainText, nullable=False),
    Column("state", _states(TaskState), nullable=False),
    Column("ts", PlainText),
    Column("log_file", PlainText),
    Column("line_count", BigInteger, nullable=False, server_default="0"),
    Column("answer", PlainText, nullable=False, server_default=text("''")),
    Column("note", PlainText, nullable=False, server_default=text("''")),
    Column("ended_at", Double),
    Column("chunk_count", BigInteger, nullable=False, server_default="0"),
    Column("head_count", BigInteger, nullable=False, server_default="0"),
    Column("output_size", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("run", "position"),
    sqlite_autoincrement=True,
)

# ``size`` and ``dropped`` stand before ``data``, so that sums need not walk through the data's pages.
chunks = Table(
    "chunks",
    metadata,
    Column("task", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    ForeignKeyConstraint(["task"], ["tasks.id"]),
    PrimaryKeyConstraint("task", "position"),
)
