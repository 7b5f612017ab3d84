"""The life of runs and of their tasks, as transition tables.

A transition that isn't in a table changes nothing and says so; terminal states absorb, so that a second
``stop``, or an end that arrives after one, is not an error but simply too late.
"""

from enum import StrEnum
from types import MappingProxyType


class RunState(StrEnum):
    """The states of a run; the values are what is stored and, capitalised, what people read."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether this state is terminal."""
        return not RUN_TRANSITIONS[self]


class TaskState(StrEnum):
    """The states of one task: a run's, without the waiting."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether this state is terminal."""
        return not TASK_TRANSITIONS[self]


_NOTHING: frozenset[RunState] = frozenset()

RUN_TRANSITIONS = MappingProxyType(
    {
        RunState.QUEUED: frozenset({RunState.RUNNING, RunState.STOPPED}),
        RunState.RUNNING: frozenset({RunState.DONE, RunState.FAILED, RunState.STOPPED, RunState.INTERRUPTED}),
        RunState.DONE: _NOTHING,
        RunState.FAILED: _NOTHING,
        RunState.STOPPED: _NOTHING,
        RunState.INTERRUPTED: _NOTHING,
    }
)

_TASK_NOTHING: frozenset[TaskState] = frozenset()

TASK_TRANSITIONS = MappingProxyType(
    {
        TaskState.RUNNING: frozenset(
            {TaskState.DONE, TaskState.FAILED, TaskState.STOPPED, TaskState.INTERRUPTED}
        ),
        TaskState.DONE: _TASK_NOTHING,
        TaskState.FAILED: _TASK_NOTHING,
        TaskState.STOPPED: _TASK_NOTHING,
        TaskState.INTERRUPTED: _TASK_NOTHING,
    }
)


def advance_run(current: RunState, to: RunState) -> RunState:
    """The state after asking ``current`` to become ``to``: ``to`` where the table allows it, else ``current``."""
    return to if to in RUN_TRANSITIONS[current] else current


def advance_task(current: TaskState, to: TaskState) -> TaskState:
    """The same for a task."""
    return to if to in TASK_TRANSITIONS[current] else current


def sources(to: RunState) -> tuple[RunState, ...]:
    """The states a run may be in before it becomes ``to``: the condition of the stored row's update."""
    return tuple(state for state, targets in RUN_TRANSITIONS.items() if to in targets)


def task_end(run: RunState) -> TaskState:
    """How a task that is still running ends when its run ends as ``run``."""
    return TaskState(run.value)


def run_end(tasks: list[TaskState]) -> RunState:
    """How a run ends whose stream closed normally: failed as soon as one of its tasks failed."""
    return RunState.FAILED if TaskState.FAILED in tasks else RunState.DONE
