"""Requests as tests make them."""

from collections.abc import Collection
from typing import Any

from bot.model import Invocation, Options, TaskPrompt
from bot.store.records import NewRun, Run
from bot.store.store import Store

NOW = 1_700_000_000.0
OPTIONS = Options(repo="acme/api", branch="dev")


def asked(prompt: str = "fix it", **values: Any) -> NewRun:
    """A request of a user in a channel; ``values`` are other fields of NewRun."""
    invocation = Invocation(prompt, options=values.pop("options", OPTIONS))
    return NewRun(
        **{"workspace": "T1", "channel": "C1", "requester": "U1", "invocation": invocation, **values}
    )


def parallel(*names: str) -> Invocation:
    """An invocation with a task of every name."""
    return Invocation("", tuple(TaskPrompt(name, f"do {name}") for name in names), OPTIONS)


async def taken(store: Store, new: NewRun | None = None, *, ready: bool = True) -> Run:
    """A request that was taken on, and by default may start."""
    run = await store.runs.take(new or asked(), None, NOW)
    assert run is not None
    if ready:
        await store.runs.set_ready(run.id)
    return run


async def next_ready(store: Store, most: int, before_all: Collection[int] = ()) -> list[Run]:
    """The runs that would start next."""
    return [one.run for one in await store.dispatching.next_ones(most, before_all=before_all)]


async def running(store: Store, new: NewRun | None = None) -> Run:
    """A run that has started."""
    run = await taken(store, new)
    assert await store.runs.start(run.id, "me", NOW + 1)
    return run


async def reply(store: Store, to: Run, prompt: str = "and then", **values: Any) -> Run:
    """A reply in the conversation of another run, ready to start."""
    return await taken(store, asked(prompt, conversation=to.conversation, in_thread=True, **values))
