"""Several processes that take, start, end and lose runs in any order, against a model that is a list."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.core.run import RunState
from bot.store.migrate import migrate
from bot.store.store import Store
from tests.store import databases
from tests.store.requests import NOW, taken

T = TypeVar("T")
NAMES = ("a", "b", "c")
WHO = st.sampled_from(NAMES)


@dataclass
class Known:
    """A run as the model knows it."""

    id: str
    owner: str
    state: RunState = RunState.QUEUED
    settled: bool = False


class OwnersMachine(RuleBasedStateMachine):
    """Only its owner ends and settles a run; what a dead process owned has one new owner and is nowhere twice."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.place = ExitStack()
        self.runs: list[Known] = []
        self.dead: set[str] = set()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    @initialize(kind=st.sampled_from(["sqlite", "postgresql"] if databases.server() else ["sqlite"]))
    def open(self, kind: str) -> None:
        if kind == "sqlite":
            folder = tempfile.mkdtemp()
            self.place.callback(shutil.rmtree, folder)
            url = f"sqlite:///{Path(folder) / 'bot.db'}"
            self.do(migrate(url))
        else:
            url = self.place.enter_context(databases.schema()).url
        self.stores = {
            name: self.do(Store.open(url, owner=name, random=Random(number)))
            for number, name in enumerate(NAMES)
        }
        for store in self.stores.values():
            self.do(store.workers.join("host", "worker"))

    def teardown(self) -> None:
        for store in getattr(self, "stores", {}).values():
            self.do(store.close())
        self.loop.close()
        self.place.close()

    @rule(who=WHO, ready=st.booleans())
    def take(self, who: str, ready: bool) -> None:
        if who not in self.dead:
            run = self.do(taken(self.stores[who], ready=ready))
            self.runs.append(Known(run.id, who))

    @precondition(lambda self: self.runs)
    @rule(who=WHO, number=st.integers(0, 99))
    def start(self, who: str, number: int) -> None:
        if who in self.dead:
            return
        run = self.runs[number % len(self.runs)]
        may = run.state is RunState.QUEUED
        assert self.do(self.stores[who].runs.start(run.id, who, NOW)) is may
        if may:
            run.state, run.owner = RunState.RUNNING, who

    @precondition(lambda self: self.runs)
    @rule(who=WHO, number=st.integers(0, 99))
    def end_own(self, who: str, number: int) -> None:
        """Also a process that doesn't know yet that it was taken for dead."""
        run = self.runs[number % len(self.runs)]
        may = run.state is RunState.RUNNING and run.owner == who
        assert self.do(self.stores[who].runs.end(run.id, RunState.DONE, NOW, own=True)) is may
        if may:
            run.state = RunState.DONE

    @precondition(lambda self: self.runs)
    @rule(who=WHO, number=st.integers(0, 99))
    def drop(self, who: str, number: int) -> None:
        if who in self.dead:
            return
        run = self.runs[number % len(self.runs)]
        may = run.state is RunState.QUEUED
        assert self.do(self.stores[who].runs.drop(run.id, NOW, "")) is may
        if may:
            run.state, run.owner = RunState.STOPPED, who

    @precondition(lambda self: self.runs)
    @rule(who=WHO, number=st.integers(0, 99))
    def settle(self, who: str, number: int) -> None:
        run = self.runs[number % len(self.runs)]
        if run.state.ended:
            assert self.do(self.stores[who].ends.settle(run.id)) is (run.owner == who)
            run.settled = run.settled or run.owner == who

    @rule(survivor=WHO, dead=WHO)
    def take_over(self, survivor: str, dead: str) -> None:
        if survivor == dead:
            return
        found = self.do(self.stores[survivor].workers.take_over(dead, NOW, "", None))
        theirs = [run for run in self.runs if run.owner == dead and not run.settled]
        if survivor in self.dead:
            assert found == []
            return
        assert set(found) == {run.id for run in theirs}
        for run in theirs:
            run.owner = survivor
            if run.state is RunState.RUNNING:
                run.state = RunState.INTERRUPTED
        self.dead.add(dead)

    @rule(who=WHO)
    def beat(self, who: str) -> None:
        assert self.do(self.stores[who].workers.beat()) is (who not in self.dead)
        if who in self.dead:
            self.do(self.stores[who].workers.join("host", "worker"))
            self.dead.discard(who)

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        if not hasattr(self, "stores"):
            return
        ids = [run.id for run in self.runs]
        for name, store in self.stores.items():
            assert self.do(store.ends.mine(ids)) == {run.id for run in self.runs if run.owner == name}
            unsettled = {run.id for run in self.do(store.ends.unsettled(NOW + 1))}
            assert unsettled == {
                run.id for run in self.runs if run.owner == name and run.state.ended and not run.settled
            }
        states = {run.id: run.state for run in self.do(self.stores["a"].queue.these(ids))}
        assert states == {run.id: run.state for run in self.runs}


OwnersMachine.TestCase.settings = settings(max_examples=8, stateful_step_count=15, deadline=None)
TestOwners = OwnersMachine.TestCase
