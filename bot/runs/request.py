"""What is sent upstream for a run: its prompt or tasks, and what the conversation's earlier turns were."""

from dataclasses import replace

from bot.cloudcoding.client import InvokeRequest
from bot.core.quoting import with_context
from bot.model import ChatMessage, Model, Turn
from bot.runs.context import context_of
from bot.runs.ports import Messenger
from bot.store.records import PastTurn, Run
from bot.store.store import Store


async def upstream_request(store: Store, messenger: Messenger, run: Run, github_token: str) -> InvokeRequest:
    """The request of a run. The service's own thread is named where it is known, else the history is resent."""
    options = run.invocation.options
    context = await context_of(messenger, run)
    prompt = with_context(run.invocation.prompt, context)
    if any(context) and not run.invocation.tasks:
        await store.conversations.set_prompt(run.conversation, run.turn, prompt)
    conversation = await store.conversations.get(run.conversation)
    thread_id = conversation.upstream_thread if conversation and run.focus is None else None
    messages: tuple[ChatMessage, ...] = ()
    if not run.invocation.tasks:
        past = () if thread_id else await _past(store, run)
        messages = (*past, ChatMessage(Turn.HUMAN, prompt))
    return InvokeRequest(
        repo=options.repo or "",
        github_token=github_token,
        messages=messages,
        parallel_tasks=tuple(
            replace(task, prompt=with_context(task.prompt, context)) for task in run.invocation.tasks
        ),
        branch=options.branch,
        haiku=None if options.model is None else options.model is Model.HAIKU,
        thread_id=thread_id,
        working_dir=options.directory,
    )


async def _past(store: Store, run: Run) -> tuple[ChatMessage, ...]:
    if run.focus is not None:
        turns = await store.conversations.task_history(run.conversation, run.focus, run.turn)
    else:
        turns = await store.conversations.history(run.conversation, run.turn)
    return tuple(message for turn in turns for message in _exchange(turn))


def _exchange(turn: PastTurn) -> tuple[ChatMessage, ...]:
    asked = ChatMessage(Turn.HUMAN, turn.prompt)
    return (asked, ChatMessage(Turn.AI, turn.answer)) if turn.answer else (asked,)
