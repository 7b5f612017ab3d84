"""A request's way into the store: taken, perhaps rewritten while it waits, and shown in Slack.

Functions within a transaction of the caller's.
"""

from random import Random

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from bot.core.run import RunState, TaskState
from bot.errors import QueueFull
from bot.model import Invocation, Options
from bot.store import dialect
from bot.store.claims import insert_claim
from bot.store.holding import holds, release
from bot.store.locks import hold_conversation_of
from bot.store.order import move_first
from bot.store.records import Conversation, NewRun, Run
from bot.store.rows import (
    RUN,
    all_tasks,
    at_place,
    one_conversation,
    one_run,
    prompt_text,
    run_by_id,
    task_names,
)
from bot.store.tables import conversations, runs, tasks, turns

# Without the look-alikes 0 and o, 1, l and i.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_SHORTEST = 4
_TRIES = 4

# Statements are made once where every request needs them: making them takes longer than running them.
_HOLD_CONVERSATION = (
    select(conversations)
    .where(conversations.c.id == bindparam("of"), conversations.c.workspace == bindparam("workspace"))
    .with_for_update()
)
_QUEUED_IN = (
    select(func.count())
    .select_from(runs)
    .where(runs.c.workspace == bindparam("workspace"), runs.c.state == RunState.QUEUED)
)
_ADD_CONVERSATION = insert(conversations).returning(conversations.c.id)
_NEWEST_TURN = select(func.coalesce(func.max(turns.c.ordinal), 0)).where(
    turns.c.conversation == bindparam("of")
)
_ADD_TURN = insert(turns).values(ordinal=_NEWEST_TURN.scalar_subquery() + 1).returning(turns.c.ordinal)
_BEGUN = (
    select(runs.c.seq)
    .where(
        runs.c.conversation == bindparam("of"),
        runs.c.turn == bindparam("asked"),
        runs.c.started_at.is_not(None),
    )
    .limit(1)
)
_ADD_RUN = {
    name: dialect.insert(name, runs).on_conflict_do_nothing(index_elements=[runs.c.id]).returning(runs.c.id)
    for name in dialect.NAMES
}
_ADD_TASKS = insert(tasks)
_ADD_TASK = _ADD_TASKS.returning(tasks.c.id)
_RENAME_TASK = update(tasks).where(tasks.c.id == bindparam("of")).values(name=bindparam("to"))
_SET_POSTED = update(runs).where(runs.c.id == bindparam("of")).values(status_ts=bindparam("ts"), ready=True)
_SET_THREAD = (
    update(conversations).where(conversations.c.id == bindparam("of")).values(thread_ts=bindparam("ts"))
)


def take(
    connection: Connection,
    new: NewRun,
    claim: str | None,
    now: float,
    random: Random,
    owner: str = "",
    most_queued: int | None = None,
) -> Run | None:
    """Store a request as ``owner``'s queued run with its claim, conversation, turn and tasks; ``None``: it was claimed.

    Raises QueueFull where its workspace has ``most_queued`` waiting runs already.
    """
    if claim is not None and not insert_claim(connection, claim, now):
        return None
    if most_queued is not None:
        queued = connection.execute(_QUEUED_IN, {"workspace": new.workspace}).scalar_one()
        if queued >= most_queued:
            raise QueueFull
    conversation = _conversation(connection, new)
    values = {
        "workspace": new.workspace,
        "channel": new.channel,
        "conversation": conversation,
        "turn": _turn(connection, conversation, new),
        "requester": new.requester,
        "invocation": new.invocation,
        "state": RunState.QUEUED,
        "in_thread": new.in_thread,
        "request_ts": new.request_ts,
        "status_ts": new.status_ts,
        "focus": new.focus,
        "attempt": new.attempt,
        "owner": owner or None,
        "created_at": now,
    }
    run_id = _insert_run(connection, values, random)
    names = task_names(new.invocation, new.focus)
    strands = [_task(run_id, position, name) for position, name in enumerate(names)]
    connection.execute(_ADD_TASKS, strands)
    if new.attempt > 1 and holds(connection, conversation):  # what is held goes on where this one left off
        move_first(connection, conversation, run_id)
    return run_by_id(connection, run_id)


def rewrite(connection: Connection, run_id: str, invocation: Invocation, focus: str | None) -> bool:
    """Replace what a waiting run asks; false where it doesn't wait any more."""
    hold_conversation_of(connection, run_id)
    run = one_run(connection, RUN.where(runs.c.id == run_id, runs.c.state == RunState.QUEUED))
    if run is None:
        return False
    connection.execute(update(runs).where(runs.c.id == run_id).values(invocation=invocation, focus=focus))
    connection.execute(
        update(turns)
        .where(turns.c.conversation == run.conversation, turns.c.ordinal == run.turn)
        .values(prompt=prompt_text(invocation, focus))
    )
    _rename_tasks(connection, run_id, task_names(invocation, focus))
    thread = select(conversations).where(conversations.c.id == run.conversation)
    conversation = one_conversation(connection, thread)
    if conversation is not None:
        _follow(connection, conversation, invocation.options)
    return True


def posted(
    connection: Connection, run_id: str, status_ts: str, thread_ts: str, owner: str = ""
) -> Run | None:
    """Store the message that shows the run, and by it the conversation's thread; the run is ready then.

    ``None``, and nothing changes, where it is another process's than ``owner``. A reply can have been quicker than this
    and have opened a conversation for that thread: the run then moves there.
    """
    hold_conversation_of(connection, run_id)
    run = run_by_id(connection, run_id)
    if run is None or (owner and run.owner != owner):
        return None
    if run.thread_ts is None:
        other = at_place(connection, run.workspace, run.channel, thread_ts, hold=True)
        if other is None:
            connection.execute(_SET_THREAD, {"of": run.conversation, "ts": thread_ts})
        else:
            _merge(connection, run.conversation, other.id)
    elif run.state is RunState.QUEUED and not run.held:
        release(connection, run.conversation)  # its author may go on here, and so does what was held
    connection.execute(_SET_POSTED, {"of": run_id, "ts": status_ts})
    return run_by_id(connection, run_id)


def insert_task(connection: Connection, run_id: str, position: int, name: str) -> int:
    """Add a task to a run; returns its id."""
    return int(connection.execute(_ADD_TASK, _task(run_id, position, name)).scalar_one())


def _task(run_id: str, position: int, name: str) -> dict[str, object]:
    return {"run": run_id, "position": position, "name": name, "state": TaskState.RUNNING}


def _conversation(connection: Connection, new: NewRun) -> int:
    """The id of the request's conversation, held (see locks.py): an old one, or else one that is opened."""
    found = None
    if new.conversation is not None:
        known = {"of": new.conversation, "workspace": new.workspace}
        found = one_conversation(connection, _HOLD_CONVERSATION, **known)
    if found is None and new.thread_ts is not None:
        found = at_place(connection, new.workspace, new.channel, new.thread_ts, hold=True)
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
        return int(connection.execute(_ADD_CONVERSATION, values).scalar_one())
    if new.turn is None:  # a retry repeats the past and decides nothing for the thread
        _follow(connection, found, options)
    return found.id


def _follow(connection: Connection, conversation: Conversation, options: Options) -> None:
    """Let a reply's repository and branch become its thread's."""
    old = conversation.options
    if options.repo not in {None, old.repo}:
        # The branch that was chosen in the old repository means nothing in the new one.
        values = {"repo": options.repo, "branch": options.branch}
    elif options.branch not in {None, old.branch}:
        values = {"branch": options.branch}
    else:
        return
    connection.execute(update(conversations).where(conversations.c.id == conversation.id).values(values))


def _turn(connection: Connection, conversation: int, new: NewRun) -> int:
    """The ordinal of the turn that the run is for; where there is none yet, it is stored.

    A turn that was dropped before it began has no place in the past: tried again, it comes after what has run since.
    """
    if new.turn is not None:
        begun = connection.execute(_BEGUN, {"of": conversation, "asked": new.turn})
        if begun.first() is not None:
            return new.turn
    return _insert_turn(connection, conversation, prompt_text(new.invocation, new.focus), "")


def _insert_turn(connection: Connection, conversation: int, prompt: str, answer: str) -> int:
    values = {"of": conversation, "conversation": conversation, "prompt": prompt, "answer": answer}
    return int(connection.execute(_ADD_TURN, values).scalar_one())


def _insert_run(connection: Connection, values: dict[str, object], random: Random) -> str:
    """Store a run under an id that nobody has; ids get longer where the short ones are crowded."""
    adding = _ADD_RUN[connection.dialect.name]
    tries = 0
    while True:
        run_id = "r-" + "".join(random.choices(_ALPHABET, k=_SHORTEST + tries // _TRIES))
        if connection.execute(adding, {**values, "id": run_id}).first() is not None:
            return run_id
        tries += 1


def _rename_tasks(connection: Connection, run_id: str, names: tuple[str, ...]) -> None:
    """Make the run's tasks those of ``names``; one at the same place keeps its message."""
    old = all_tasks(connection, run_id)
    for task, name in zip(old, names, strict=False):
        connection.execute(_RENAME_TASK, {"of": task.id, "to": name})
    for position in range(len(old), len(names)):
        insert_task(connection, run_id, position, names[position])
    if len(old) > len(names):
        connection.execute(delete(tasks).where(tasks.c.run == run_id, tasks.c.position >= len(names)))


def _merge(connection: Connection, conversation: int, into: int) -> None:
    """Move all turns and runs of a conversation to the end of another, and remove it."""
    ours = (
        select(turns.c.ordinal, turns.c.prompt, turns.c.answer)
        .where(turns.c.conversation == conversation)
        .order_by(turns.c.ordinal)
    )
    for ordinal, prompt, answer in connection.execute(ours).all():
        moved = _insert_turn(connection, into, prompt, answer)
        connection.execute(
            update(runs)
            .where(runs.c.conversation == conversation, runs.c.turn == ordinal)
            .values(conversation=into, turn=moved)
        )
    connection.execute(delete(turns).where(turns.c.conversation == conversation))
    connection.execute(delete(conversations).where(conversations.c.id == conversation))
