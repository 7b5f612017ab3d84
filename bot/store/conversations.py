"""Conversations: Slack threads, and what was said in them."""

from sqlalchemy import Connection, bindparam, select, update

from bot.core.run import RunState
from bot.store.database import Database
from bot.store.records import Conversation, PastTurn
from bot.store.rows import at_place, one_conversation, prompt_text
from bot.store.tables import conversations, runs, tasks, turns

# Statements are made once where runs begin with them: making them takes longer than running them.
_BY_ID = select(conversations).where(conversations.c.id == bindparam("of"))
_SET_PROMPT = (
    update(turns)
    .where(turns.c.conversation == bindparam("of"), turns.c.ordinal == bindparam("turn"))
    .values(prompt=bindparam("said"))
)
_STARTED = (
    select(runs.c.seq)
    .where(
        runs.c.conversation == turns.c.conversation,
        runs.c.turn == turns.c.ordinal,
        runs.c.started_at.is_not(None),
    )
    .exists()
)
_OPENING = (
    select(runs.c.seq)
    .join_from(runs, conversations, runs.c.conversation == conversations.c.id)
    .where(
        runs.c.state == RunState.QUEUED,
        runs.c.ready.is_(False),
        runs.c.workspace == bindparam("workspace"),
        runs.c.channel == bindparam("channel"),
        conversations.c.thread_ts.is_(None),
    )
    .limit(1)
)
_HISTORY = (
    select(turns.c.ordinal, turns.c.prompt, turns.c.answer)
    .where(turns.c.conversation == bindparam("of"), turns.c.ordinal < bindparam("before"), _STARTED)
    .order_by(turns.c.ordinal)
)


class Conversations:
    """The threads that the bot takes part in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, conversation: int) -> Conversation | None:
        """The conversation of that id."""
        return await self._database.read(
            lambda connection: one_conversation(connection, _BY_ID, of=conversation)
        )

    async def at(self, workspace: str, channel: str, thread_ts: str) -> Conversation | None:
        """The conversation of a thread."""
        return await self._database.read(
            lambda connection: at_place(connection, workspace, channel, thread_ts)
        )

    async def opening(self, workspace: str, channel: str) -> bool:
        """Whether a thread is being opened there: Slack may have its message already, and which one isn't stored yet."""
        place = {"workspace": workspace, "channel": channel}
        return await self._database.read(
            lambda connection: connection.execute(_OPENING, place).first() is not None
        )

    async def name_upstream_thread(self, conversation: int, upstream_thread: str) -> None:
        """Store the service's id of the conversation."""
        await self._update(conversation, upstream_thread=upstream_thread)

    async def set_muted(self, conversation: int, muted: bool) -> None:
        """Store whether the bot answers only to mentions in that thread."""
        await self._update(conversation, muted=muted)

    async def set_prompt(self, conversation: int, turn: int, prompt: str) -> None:
        """Store what a turn's prompt became when it was sent, with its quoted context and files."""
        values = {"of": conversation, "turn": turn, "said": prompt}
        await self._database.write(lambda connection: connection.execute(_SET_PROMPT, values))

    async def history(self, conversation: int, before_turn: int) -> list[PastTurn]:
        """The earlier turns in order, without those that never started: they were dropped while they waited."""
        values = {"of": conversation, "before": before_turn}

        def find(connection: Connection) -> list[PastTurn]:
            return [PastTurn(*row) for row in connection.execute(_HISTORY, values)]

        return await self._database.read(find)

    async def task_history(
        self, conversation: int, name: str, before_turn: int | None = None
    ) -> list[PastTurn]:
        """What one task was asked and answered, in order, by the newest ended run of each turn that had it.

        ``before_turn`` leaves out that turn and later ones: a retried turn is not its own past.
        """
        query = (
            select(runs.c.turn, runs.c.invocation, runs.c.answer, tasks.c.answer.label("task_answer"))
            .join_from(runs, tasks, tasks.c.run == runs.c.id)
            .where(
                runs.c.conversation == conversation,
                runs.c.started_at.is_not(None),
                runs.c.ended_at.is_not(None),
                tasks.c.name == name,
            )
            .order_by(runs.c.turn, runs.c.seq)
        )

        if before_turn is not None:
            query = query.where(runs.c.turn < before_turn)

        def find(connection: Connection) -> list[PastTurn]:
            newest: dict[int, PastTurn] = {}
            for turn, invocation, answer, task_answer in connection.execute(query):
                asked = {task.name: task.prompt for task in invocation.tasks}
                # A run's only task speaks for the run; one of several doesn't.
                own = task_answer if asked else task_answer or answer
                newest[turn] = PastTurn(turn, asked.get(name, prompt_text(invocation, None)), own)
            return list(newest.values())

        return await self._database.read(find)

    async def task_names(self, conversation: int) -> tuple[str, ...]:
        """The names that the conversation's parallel runs were given, in order."""
        query = select(runs.c.invocation).where(runs.c.conversation == conversation).order_by(runs.c.seq)

        def find(connection: Connection) -> tuple[str, ...]:
            invocations = connection.execute(query).scalars().all()
            return tuple(dict.fromkeys(task.name for asked in invocations for task in asked.tasks))

        return await self._database.read(find)

    async def _update(self, conversation: int, **values: object) -> None:
        statement = update(conversations).where(conversations.c.id == conversation).values(**values)
        await self._database.write(lambda connection: connection.execute(statement))
