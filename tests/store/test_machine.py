"""Requests, starts and ends in any order, against a model that is a list."""

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot.core.run import RunState
from bot.store.store import Store
from tests.store.requests import NOW, asked, next_ready

T = TypeVar("T")
ENDS = [state for state in RunState if state.ended]


@dataclass
class Known:
    """A run as the model knows it."""

    id: str
    conversation: int
    turn: int
    ready: bool = False
    state: RunState = RunState.QUEUED


class StoreMachine(RuleBasedStateMachine):
    """The queue's promises: started once, one at a time in a conversation, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.place = ExitStack()
        self.store = self.do(Store.open(self.url()))
        self.runs: list[Known] = []

    def url(self) -> str:
        """An empty database with all tables."""
        return "sqlite://"

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def teardown(self) -> None:
        self.do(self.store.close())
        self.loop.close()
        self.place.close()

    def pick(self, number: int) -> Known:
        return self.runs[number % len(self.runs)]

    def of(self, conversation: int, state: RunState) -> list[Known]:
        return [run for run in self.runs if (run.conversation, run.state) == (conversation, state)]

    @rule(ready=st.booleans())
    def request(self, ready: bool) -> None:
        self.take(None, ready)

    @precondition(lambda self: self.runs)
    @rule(number=st.integers(0, 99), ready=st.booleans())
    def reply(self, number: int, ready: bool) -> None:
        to = self.pick(number)
        turns = {run.turn for run in self.runs if run.conversation == to.conversation}
        assert self.take(to.conversation, ready).turn == max(turns) + 1

    def take(self, conversation: int | None, ready: bool) -> Known:
        claim = f"event-{len(self.runs)}"
        run = self.do(self.store.runs.take(asked(conversation=conversation), claim, NOW))
        assert run is not None
        assert self.do(self.store.runs.take(asked(conversation=conversation), claim, NOW)) is None
        self.runs.append(Known(run.id, run.conversation, run.turn))
        if ready:
            self.make_ready(len(self.runs) - 1)
        return self.runs[-1]

    @precondition(lambda self: self.runs)
    @rule(number=st.integers(0, 99))
    def make_ready(self, number: int) -> None:
        run = self.pick(number)
        self.do(self.store.runs.set_ready(run.id))
        run.ready = True

    @precondition(lambda self: self.runs)
    @rule(number=st.integers(0, 99))
    def start_any(self, number: int) -> None:
        run = self.pick(number)
        may = run.state is RunState.QUEUED and not self.of(run.conversation, RunState.RUNNING)
        assert self.do(self.store.runs.start(run.id, "me", NOW)) is may
        if may:
            run.state = RunState.RUNNING

    @rule()
    def start_next(self) -> None:
        for run in self.do(next_ready(self.store, 2)):
            assert self.do(self.store.runs.start(run.id, "me", NOW))
            next(known for known in self.runs if known.id == run.id).state = RunState.RUNNING

    @precondition(lambda self: self.runs)
    @rule(number=st.integers(0, 99), state=st.sampled_from(ENDS))
    def end(self, number: int, state: RunState) -> None:
        run = self.pick(number)
        may = run.state is RunState.RUNNING or (run.state is RunState.QUEUED and state is RunState.STOPPED)
        assert self.do(self.store.runs.end(run.id, state, NOW)) is may
        if may:
            run.state = state

    @precondition(lambda self: self.runs)
    @rule(number=st.integers(0, 99))
    def drop(self, number: int) -> None:
        conversation = self.pick(number).conversation
        dropped = self.do(self.store.runs.drop_waiting(conversation, NOW, "Stopped."))
        waiting = self.of(conversation, RunState.QUEUED)
        assert [run.id for run in dropped] == [run.id for run in waiting]
        for run in waiting:
            run.state = RunState.STOPPED

    @invariant()
    def the_queue_is_as_the_model_says(self) -> None:
        live = [run for run in self.runs if not run.state.ended]
        assert [run.id for run in self.do(self.store.queue.listing(None))] == [run.id for run in live]
        heads: dict[int, Known] = {}
        for run in live:
            heads.setdefault(run.conversation, run)
            if run.state is RunState.RUNNING:
                heads[run.conversation] = run
        expected = [
            run.id
            for run in live
            if heads[run.conversation] is run and run.ready and run.state is RunState.QUEUED
        ]
        assert [run.id for run in self.do(next_ready(self.store, 99))] == expected


StoreMachine.TestCase.settings = settings(max_examples=5, stateful_step_count=12, deadline=None)
TestStore = StoreMachine.TestCase
