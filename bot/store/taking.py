"""A request's way into the store: taken, perhaps rewritten while it waits, and shown in Slack.

Functions within a transaction of the caller's.
"""

from random import Random

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.run import RunState, TaskState
from bot.model import Invocation, Options
from bot.store import dialect
from bot.store.claims import insert_claim
from bot.store.records import Conversation, NewRun, Run
from bot.store.rows import RUN, all_tasks, at_place, one_conversation, one_run, prompt_text, task_names
from bot.store.tables import conversations, runs, tasks, turns

# Without the look-alikes 0 and o, 1, l and i.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_SHORTEST = 4
_TRIES = 4


async def take(
    connection: AsyncConnection, new: NewRun, claim: str | None, now: float, random: Random
) -> Run | None:
    """Store a request as a queued run with its claim, conversation, turn and tasks; ``None``: it was claimed."""
    if claim is not None and not await insert_claim(connection, claim, now):
        return None
    conversation = await _conversation(connection, new)
    values = {
        "workspace": new.workspace,
        "channel": new.channel,
        "conversation": conversation,
        "turn": await _turn(connection, conversation, new),
        "requester": new.requester,
        "invocation": new.invocation,
        "state": RunState.QUEUED,
        "in_thread": new.in_thread,
        "request_ts": new.request_ts,
        "status_ts": new.status_ts,
        "focus": new.focus,
        "attempt": new.attempt,
        "created_at": now,
    }
    run_id = await _insert_run(connection, values, random)
    names = task_names(new.invocation, new.focus)
    strands = [_task(run_id, position, name) for position, name in enumerate(names)]
    await connection.execute(insert(tasks), strands)
    return await one_run(connection, RUN.where(runs.c.id == run_id))


async def rewrite(
    connection: AsyncConnection, run_id: str, invocation: Invocation, focus: str | None
) -> bool:
    """Replace what a waiting run asks; false where it doesn't wait any more."""
    run = await one_run(connection, RUN.where(runs.c.id == run_id, runs.c.state == RunState.QUEUED))
    if run is None:
        return False
    await connection.execute(
        update(runs).where(runs.c.id == run_id).values(invocation=invocation, focus=focus)
    )
    await connection.execute(
        update(turns)
        .where(turns.c.conversation == run.conversation, turns.c.ordinal == run.turn)
        .values(prompt=prompt_text(invocation, focus))
    )
    await _rename_tasks(connection, run_id, task_names(invocation, focus))
    thread = select(conversations).where(conversations.c.id == run.conversation)
    conversation = await one_conversation(connection, thread)
    if conversation is not None:
        await _follow(connection, conversation, invocation.options)
    return True


async def posted(connection: AsyncConnection, run_id: str, status_ts: str, thread_ts: str) -> Run | None:
    """Store the message that shows the run, and by it the conversation's thread; the run is ready then.

    A reply can have been quicker than this and have opened a conversation for that thread: the run then moves there.
    """
    query = RUN.where(runs.c.id == run_id)
    run = await one_run(connection, query)
    if run is None:
        return None
    if run.thread_ts is None:
        other = await one_conversation(connection, at_place(run.workspace, run.channel, thread_ts))
        if other is None:
            await connection.execute(
                update(conversations)
                .where(conversations.c.id == run.conversation)
                .values(thread_ts=thread_ts)
            )
        else:
            await _merge(connection, run.conversation, other.id)
    await connection.execute(update(runs).where(runs.c.id == run_id).values(status_ts=status_ts, ready=True))
    return await one_run(connection, query)


async def insert_task(connection: AsyncConnection, run_id: str, position: int, name: str) -> int:
    """Add a task to a run; returns its id."""
    adding = insert(tasks).returning(tasks.c.id)
    return int((await connection.execute(adding, _task(run_id, position, name))).scalar_one())


def _task(run_id: str, position: int, name: str) -> dict[str, object]:
    return {"run": run_id, "position": position, "name": name, "state": TaskState.RUNNING}


async def _conversation(connection: AsyncConnection, new: NewRun) -> int:
    found = None
    if new.conversation is not None:
        query = select(conversations).where(
            conversations.c.id == new.conversation, conversations.c.workspace == new.workspace
        )
        found = await one_conversation(connection, query)
    if found is None and new.thread_ts is not None:
        found = await one_conversation(connection, at_place(new.workspace, new.channel, new.thread_ts))
    options = new.invocation.options
    if found is None:
        values = {
            "workspace": new.workspace,
            "channel": new.channel,
            "thread_ts": new.thread_ts,
            "repo": options.repo,
            "branch": options.branch,
            "model": options.model,
            "directory": options.directory,
        }
        opening = insert(conversations).returning(conversations.c.id)
        return int((await connection.execute(opening, values)).scalar_one())
    if new.turn is None:  # a retry repeats the past and decides nothing for the thread
        await _follow(connection, found, options)
    return found.id


async def _follow(connection: AsyncConnection, conversation: Conversation, options: Options) -> None:
    """Let a reply's repository and branch become its thread's."""
    old = conversation.options
    if options.repo not in {None, old.repo}:
        # The branch that was chosen in the old repository means nothing in the new one.
        values = {"repo": options.repo, "branch": options.branch}
    elif options.branch not in {None, old.branch}:
        values = {"branch": options.branch}
    else:
        return
    await connection.execute(
        update(conversations).where(conversations.c.id == conversation.id).values(values)
    )


async def _turn(connection: AsyncConnection, conversation: int, new: NewRun) -> int:
    """The ordinal of the turn that the run is for; where there is none yet, it is stored."""
    if new.turn is not None:
        old = select(turns.c.ordinal).where(turns.c.conversation == conversation, turns.c.ordinal == new.turn)
        if (await connection.execute(old)).first() is not None:
            return new.turn
    return await _insert_turn(connection, conversation, prompt_text(new.invocation, new.focus), "")


async def _insert_turn(connection: AsyncConnection, conversation: int, prompt: str, answer: str) -> int:
    newest = select(func.coalesce(func.max(turns.c.ordinal), 0)).where(turns.c.conversation == conversation)
    adding = (
        insert(turns)
        .values(
            conversation=conversation,
            ordinal=newest.scalar_subquery() + 1,
            prompt=prompt,
            answer=answer,
        )
        .returning(turns.c.ordinal)
    )
    return int((await connection.execute(adding)).scalar_one())


async def _insert_run(connection: AsyncConnection, values: dict[str, object], random: Random) -> str:
    """Store a run under an id that nobody has; ids get longer where the short ones are crowded."""
    adding = (
        dialect.insert(connection.dialect.name, runs)
        .on_conflict_do_nothing(index_elements=[runs.c.id])
        .returning(runs.c.id)
    )
    tries = 0
    while True:
        run_id = "r-" + "".join(random.choices(_ALPHABET, k=_SHORTEST + tries // _TRIES))
        if (await connection.execute(adding, {**values, "id": run_id})).first() is not None:
            return run_id
        tries += 1


async def _rename_tasks(connection: AsyncConnection, run_id: str, names: tuple[str, ...]) -> None:
    """Make the run's tasks those of ``names``; one at the same place keeps its message."""
    old = await all_tasks(connection, run_id)
    for task, name in zip(old, names, strict=False):
        await connection.execute(update(tasks).where(tasks.c.id == task.id).values(name=name))
    for position in range(len(old), len(names)):
        await insert_task(connection, run_id, position, names[position])
    if len(old) > len(names):
        await connection.execute(delete(tasks).where(tasks.c.run == run_id, tasks.c.position >= len(names)))


async def _merge(connection: AsyncConnection, conversation: int, into: int) -> None:
    """Move all turns and runs of a conversation to the end of another, and remove it."""
    ours = (
        select(turns.c.ordinal, turns.c.prompt, turns.c.answer)
        .where(turns.c.conversation == conversation)
        .order_by(turns.c.ordinal)
    )
    for ordinal, prompt, answer in (await connection.execute(ours)).all():
        moved = await _insert_turn(connection, into, prompt, answer)
        await connection.execute(
            update(runs)
            .where(runs.c.conversation == conversation, runs.c.turn == ordinal)
            .values(conversation=into, turn=moved)
        )
    await connection.execute(delete(turns).where(turns.c.conversation == conversation))
    await connection.execute(delete(conversations).where(conversations.c.id == conversation))
