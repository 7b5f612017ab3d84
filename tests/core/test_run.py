from hypothesis import given
from hypothesis import strategies as st

from bot.core.run import (
    RUN_TRANSITIONS,
    TASK_TRANSITIONS,
    RunState,
    TaskState,
    advance_run,
    advance_task,
    run_end,
    sources,
    task_end,
)

ENDS = {RunState.DONE, RunState.FAILED, RunState.STOPPED, RunState.INTERRUPTED}


def test_every_state_has_its_row() -> None:
    assert set(RUN_TRANSITIONS) == set(RunState)
    assert set(TASK_TRANSITIONS) == set(TaskState)


def test_a_queued_run_starts_or_is_stopped() -> None:
    assert RUN_TRANSITIONS[RunState.QUEUED] == {RunState.RUNNING, RunState.STOPPED}


def test_a_running_run_ends_in_one_of_four_ways() -> None:
    assert RUN_TRANSITIONS[RunState.RUNNING] == ENDS
    assert {state for state in RunState if state.ended} == ENDS
    assert {state for state in TaskState if state.ended} == set(TaskState) - {TaskState.RUNNING}


@given(st.lists(st.sampled_from(RunState)))
def test_terminal_states_absorb(wishes: list[RunState]) -> None:
    state = RunState.QUEUED
    ended = None
    for wish in wishes:
        state = advance_run(state, wish)
        ended = state if ended is None and state.ended else ended
        assert ended is None or state is ended


@given(st.lists(st.sampled_from(TaskState)))
def test_the_first_end_of_a_task_counts(wishes: list[TaskState]) -> None:
    state = TaskState.RUNNING
    for wish in wishes:
        state = advance_task(state, wish)
    assert state is next((wish for wish in wishes if wish.ended), TaskState.RUNNING)


def test_the_condition_of_a_stored_transition_is_the_table_read_backwards() -> None:
    assert sources(RunState.RUNNING) == (RunState.QUEUED,)
    assert sources(RunState.STOPPED) == (RunState.QUEUED, RunState.RUNNING)
    assert sources(RunState.INTERRUPTED) == (RunState.RUNNING,)


def test_a_run_fails_with_one_of_its_tasks() -> None:
    assert run_end([TaskState.DONE, TaskState.FAILED]) is RunState.FAILED
    assert run_end([TaskState.DONE, TaskState.DONE]) is RunState.DONE
    assert run_end([]) is RunState.DONE


def test_tasks_end_as_their_run_did() -> None:
    assert {task_end(state) for state in ENDS} == set(TaskState) - {TaskState.RUNNING}
