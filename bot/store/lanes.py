"""Threads that do a database's work, one job at a time each: a transaction costs one hop there and one back.

The event loop is busy with streams, so a transaction of eight statements must not come back to it eight times.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bot.errors import StoreUnavailable
from bot.store import dialect

T = TypeVar("T")
Work = Callable[[Connection], T]

# How often a transaction is done, at most, where others got in its way.
_TRIES = 4


class _Abandoned(Exception):
    """A transaction's caller has gone before the commit began."""


class _Unit:
    """One transaction, which can be given up until its commit has begun: who comes first decides, from any thread."""

    __slots__ = ("_decided",)

    def __init__(self) -> None:
        self._decided = threading.Lock()

    def abandon(self) -> bool:
        """Give it up; false where it is too late for that."""
        return self._decided.acquire(blocking=False)

    @property
    def decided(self) -> bool:
        """Whether its commit has begun, or it was given up."""
        return self._decided.locked()

    def check(self) -> None:
        """Before the commit: raise _Abandoned where it was given up."""
        if self.decided:
            raise _Abandoned

    def commit(self) -> None:
        """From here on it can't be given up; raises _Abandoned where it was."""
        if not self._decided.acquire(blocking=False):
            raise _Abandoned


class _Job(Generic[T]):
    """Work on its way into a thread, and its outcome's way back."""

    __slots__ = ("_loop", "_work", "future", "unit")

    def __init__(self, work: Work[T]) -> None:
        self.unit = _Unit()
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self._loop.create_future()
        self._work = work

    def perform(self, engine: Engine, committed: Callable[[], None]) -> None:
        """Do it, wholly or not at all, and report how it went; first of all, where so, that it was committed."""
        try:
            result = self._transact(engine)
        except _Abandoned:
            pass
        except Exception as error:  # noqa: BLE001  whatever it is, it is the caller's
            self._report(self._fail, error)
        else:
            committed()
            self._report(self._succeed, result)

    def _transact(self, engine: Engine) -> T:
        for left in reversed(range(_TRIES)):
            self.unit.check()
            try:
                with engine.connect() as connection:
                    result = self._work(connection)
                    self.unit.commit()
                    connection.commit()
                    return result
            except DBAPIError as error:
                if not left or self.unit.decided or not dialect.may_be_repeated(error):
                    raise
        raise AssertionError

    def expire(self, limit: float, *, remote: bool) -> None:
        """Its caller has waited for ``limit`` seconds: enough, unless the commit has begun where that is brief."""
        if self.unit.abandon() or remote:
            self._fail(StoreUnavailable(f"the database did not answer within {limit} s"))

    def _report(self, how: Callable[[Any], None], what: object) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(how, what)

    def _succeed(self, result: T) -> None:
        if not self.future.done():  # else its caller has gone
            self.future.set_result(result)

    def _fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Turns:
    """Jobs of several kinds that take turns: in each, a kind has as many as waited when its turn began.

    ``single`` names the kinds whose jobs are long: of those, a turn has one.
    """

    def __init__(self, single: frozenset[str]) -> None:
        self._single = single
        self._changed = threading.Condition()
        self._kinds: deque[str] = deque()  # those that have jobs, in the order of their turns
        self._jobs: dict[str, deque[_Job[Any]]] = {}
        self._left = 0  # of the first kind's turn
        self._closed = False

    def put(self, kind: str, job: _Job[Any]) -> None:
        """Add a job; raises StoreUnavailable where no more are taken."""
        with self._changed:
            if self._closed:
                raise StoreUnavailable("the database is closed")
            jobs = self._jobs.setdefault(kind, deque())
            if not jobs:
                self._kinds.append(kind)
            jobs.append(job)
            self._changed.notify()

    def next(self) -> _Job[Any] | None:
        """Wait for the next job; ``None``: there will be none."""
        with self._changed:
            while not self._kinds:
                if self._closed:
                    return None
                self._changed.wait()
            kind = self._kinds[0]
            jobs = self._jobs[kind]
            if not self._left:
                self._left = 1 if kind in self._single else len(jobs)
            self._left -= 1
            job = jobs.popleft()
            if not jobs:
                self._left = 0
            if not self._left:
                self._kinds.rotate(-1)
                if not jobs:
                    self._kinds.remove(kind)
            return job

    def close(self) -> None:
        """Take no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Lane:
    """Threads with the connections of ``engine``, and the jobs that wait for them.

    ``commits`` counts the transactions that were committed, also those that changed nothing. Where the database is
    ``remote``, a commit may stay without an answer: then its caller leaves in time all the same.
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        *,
        threads: int = 1,
        single: frozenset[str] = frozenset(),
        remote: bool = False,
    ) -> None:
        self.commits = 0
        self._remote = remote
        self._engine = engine
        self._turns = _Turns(single)
        self._threads = [
            threading.Thread(target=self._serve, name=f"store.{name}", daemon=True) for _ in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def do(self, work: Work[T], kind: str = "", *, limit: float | None) -> T:
        """The outcome of ``work`` in a transaction; ``limit`` is how long the caller waits for it, in seconds."""
        job = _Job(work)
        self._turns.put(kind, job)
        late = None
        if limit is not None:
            late = asyncio.get_running_loop().call_later(
                limit, partial(job.expire, limit, remote=self._remote)
            )
        try:
            return await job.future
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(f"the database failed: {type(error).__name__}") from error
        except asyncio.CancelledError:
            job.unit.abandon()
            raise
        finally:
            if late is not None:
                late.cancel()

    async def close(self, within: float | None = None) -> None:
        """Let what waits come to its end, then the threads; what isn't over ``within`` seconds is left alone."""
        self._turns.close()
        await asyncio.gather(*(asyncio.to_thread(thread.join, within) for thread in self._threads))
        self._engine.dispose()

    def _serve(self) -> None:
        while (job := self._turns.next()) is not None:
            job.perform(self._engine, self._count)

    def _count(self) -> None:
        self.commits += 1
