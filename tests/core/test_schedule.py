"""Who may be sent when: order, pace, fairness, and what Slack's answers change."""

import pytest

from bot.core.budget import Budget
from bot.core.schedule import EDIT_LANE, EditScheduler, Priority, post_lane, slack_budget

Scheduler = EditScheduler[str]
PLENTY = Budget(rate=100, burst=100)
SCARCE = Budget(rate=1, burst=1)


def scheduler(budget: Budget = SCARCE) -> Scheduler:
    return EditScheduler(lambda _: budget)


def all_due(schedule: Scheduler, now: float) -> list[str]:
    """Everything that may be sent at once; it stays in flight."""
    due = []
    while (message := schedule.due(now)) is not None:
        due.append(message)
    return due


def in_order(schedule: Scheduler, now: float, count: int) -> list[str]:
    """Send ``count`` messages, each as soon as it may be."""
    order: list[str] = []
    while len(order) < count:
        message = schedule.due(now)
        if message is None:
            later = schedule.next_time(now)
            assert later is not None
            assert later > now
            now = later
        else:
            order.append(message)
            schedule.sent(message, now)
    return order


def test_nothing_offered_nothing_due() -> None:
    schedule = scheduler()
    assert schedule.due(0) is None
    assert schedule.next_time(0) is None


def test_lanes_have_slack_s_own_budgets() -> None:
    assert slack_budget(EDIT_LANE).rate == pytest.approx(49 / 60)
    assert slack_budget(post_lane("C1")) == slack_budget(post_lane("C2"))
    assert slack_budget(post_lane("C1")).rate < 1


def test_finals_first_then_firsts_then_live_then_the_clock() -> None:
    schedule = scheduler()
    for priority in reversed(Priority):
        schedule.offer(priority.name, priority, EDIT_LANE, now=0)
    assert in_order(schedule, 0, 4) == ["FINAL", "FIRST", "LIVE", "IDLE"]


def test_a_message_is_in_flight_once_and_what_comes_meanwhile_follows() -> None:
    schedule = scheduler(PLENTY)
    schedule.offer("m", Priority.LIVE, EDIT_LANE, now=0)
    assert all_due(schedule, 0) == ["m"]
    schedule.offer("m", Priority.FINAL, EDIT_LANE, now=0.1)
    assert schedule.due(0.1) is None
    assert schedule.next_time(0.1) is None
    schedule.sent("m", 0.2)
    assert all_due(schedule, 0.2) == ["m"]
    schedule.sent("m", 0.3)
    assert schedule.next_time(0.3) is None


def test_a_lone_message_is_shown_at_once_and_then_once_a_second() -> None:
    schedule = EditScheduler[str]()
    for tenth in range(31):
        now = tenth / 10
        schedule.offer("m", Priority.LIVE, EDIT_LANE, now)
        due = all_due(schedule, now)
        assert due == (["m"] if tenth % 10 == 0 else [])
        for message in due:
            schedule.sent(message, now)


def test_a_final_need_not_wait_for_the_second_to_be_over() -> None:
    schedule = EditScheduler[str]()
    schedule.offer("m", Priority.LIVE, EDIT_LANE, 0)
    schedule.sent(schedule.due(0) or "", 0)
    schedule.offer("m", Priority.FINAL, EDIT_LANE, 0.1)
    assert schedule.due(0.1) == "m"


def test_half_of_the_burst_is_kept_for_what_is_urgent() -> None:
    schedule = scheduler(Budget(rate=0.001, burst=10))
    for index in range(20):
        schedule.offer(f"live {index}", Priority.LIVE, EDIT_LANE, now=0)
    assert len(all_due(schedule, 10)) <= 5
    assert len(all_due(schedule, 600)) <= 5
    for index in range(5):
        schedule.offer(f"final {index}", Priority.FINAL, EDIT_LANE, now=601)
    assert sorted(all_due(schedule, 601)) == [f"final {index}" for index in range(5)]


def test_the_next_time_is_when_the_token_comes_back() -> None:
    schedule = scheduler(Budget(rate=0.25, burst=2))
    for message in ("a", "b", "c"):
        schedule.offer(message, Priority.FINAL, EDIT_LANE, now=10)
    schedule.offer("live", Priority.LIVE, EDIT_LANE, now=10)
    assert schedule.next_time(10) == 10
    assert all_due(schedule, 10) == ["a", "b"]
    assert schedule.next_time(10) == 14
    assert all_due(schedule, 14) == ["c"]
    assert schedule.next_time(14) == 22, "the last token is kept"


def test_output_that_is_not_worth_its_token_yet_is_looked_at_again_soon() -> None:
    schedule = scheduler(Budget(rate=1, burst=10))
    for index in range(10):
        schedule.offer(f"m{index}", Priority.LIVE, EDIT_LANE, now=0)
    assert 0 < len(all_due(schedule, 0)) < 5
    now, looks = 0.0, 0
    while schedule.due(now) is None:
        later = schedule.next_time(now)
        assert later is not None
        assert now < later <= now + 1
        now, looks = later, looks + 1
    assert 0 < looks < 20


def test_the_clock_ticks_only_while_there_is_budget_to_spare() -> None:
    schedule = scheduler(Budget(rate=1, burst=10))
    for index in range(10):
        schedule.offer(f"m{index}", Priority.IDLE, EDIT_LANE, now=0)
    assert len(all_due(schedule, 0)) == 3
    assert schedule.next_time(0) == pytest.approx(1)
    assert len(all_due(schedule, 1)) == 1


def test_output_makes_a_tick_more_urgent_and_a_tick_makes_nothing_less_so() -> None:
    schedule = scheduler()
    schedule.offer("a", Priority.IDLE, EDIT_LANE, now=0)
    schedule.offer("b", Priority.LIVE, EDIT_LANE, now=50)
    schedule.offer("b", Priority.IDLE, EDIT_LANE, now=51)
    schedule.offer("a", Priority.LIVE, EDIT_LANE, now=60)
    assert in_order(schedule, 61, 2) == ["b", "a"], "a's output is the younger one, whatever its clock showed"


def test_of_two_the_one_goes_first_that_will_then_rest_longer() -> None:
    schedule = scheduler(PLENTY)
    for tenth in range(1000):
        now = tenth / 10
        schedule.offer("chatty", Priority.LIVE, EDIT_LANE, now)
        if tenth % 200 == 0:
            schedule.offer("sparse", Priority.LIVE, EDIT_LANE, now)
        for message in all_due(schedule, now):
            schedule.sent(message, now)
    in_order(schedule, 100, 1)
    for message in ("chatty", "sparse"):
        schedule.offer(message, Priority.LIVE, EDIT_LANE, now=102)
    assert all_due(schedule, 102.3) == ["sparse", "chatty"]


@pytest.mark.parametrize("priority", [Priority.FINAL, Priority.FIRST])
def test_owners_take_turns(priority: Priority) -> None:
    schedule = scheduler()
    for index in range(20):
        schedule.offer(f"crowd {index}", priority, EDIT_LANE, now=0, owner="crowd")
    for index in range(3):
        schedule.offer(f"few {index}", priority, EDIT_LANE, now=0.5, owner="few")
    schedule.offer("lone", priority, EDIT_LANE, now=0.5)
    order = [message.split()[0] for message in in_order(schedule, 1, 24)]
    assert order.index("lone") <= 2
    assert [owner for owner in order if owner != "lone"][:6].count("few") == 3


def test_one_that_keeps_coming_back_as_new_takes_turns_as_well() -> None:
    schedule = scheduler()
    for index in range(8):
        schedule.offer(f"crowd {index}", Priority.FINAL, EDIT_LANE, now=0, owner="crowd")
    order: list[str] = []
    for second in range(1, 9):
        if not order or order[-1].startswith("new"):
            schedule.offer(f"new {second}", Priority.FINAL, EDIT_LANE, second - 0.5, owner="new")
        order += in_order(schedule, second, 1)
        schedule.forget(order[-1])
    assert [message.split()[0] for message in order] == ["crowd", "new"] * 4


def test_lanes_take_turns() -> None:
    schedule = scheduler(PLENTY)
    for index in range(3):
        schedule.offer(f"C1 {index}", Priority.FINAL, post_lane("C1"), now=0)
        schedule.offer(f"C2 {index}", Priority.FINAL, post_lane("C2"), now=0)
    assert [message[:2] for message in all_due(schedule, 0)] == ["C1", "C2"] * 3


def test_twenty_chatty_tasks_leave_a_lone_one_more_than_its_share() -> None:
    schedule = EditScheduler[str]()
    edits: list[str] = []
    for tenth in range(3000):
        now = tenth / 10
        for index in range(20):
            schedule.offer(f"crowd {index}", Priority.LIVE, EDIT_LANE, now, owner="crowd")
        schedule.offer("lone", Priority.LIVE, EDIT_LANE, now, owner="lone")
        for message in all_due(schedule, now):
            edits.append(message)
            schedule.sent(message, now)
    assert 30 < edits.count("lone") < 100, "about one in 1 + sqrt(20)"
    assert min(edits.count(f"crowd {index}") for index in range(20)) >= 5


def test_limited_means_silence_for_all_in_that_lane_and_for_nobody_else() -> None:
    schedule = scheduler(PLENTY)
    for index in range(3):
        schedule.offer(f"m{index}", Priority.LIVE, EDIT_LANE, now=0)
    schedule.offer("post", Priority.FIRST, post_lane("C1"), now=0)
    first = schedule.due(0)
    assert first is not None
    schedule.limited(first, retry_after=30, now=0.1)
    schedule.offer("final", Priority.FINAL, EDIT_LANE, now=0.2)
    assert all_due(schedule, 0.3) == ["post"]
    assert schedule.next_time(0.3) == pytest.approx(30.1)
    assert all_due(schedule, 30.0) == []
    assert all_due(schedule, 30.1) == ["final"], "one flies alone"
    assert schedule.next_time(31) is None
    schedule.sent("final", 31)
    assert sorted(all_due(schedule, 33)) == ["m0", "m1", "m2"]


def test_a_limited_message_is_due_again_as_what_it_was() -> None:
    schedule = scheduler(PLENTY)
    schedule.offer("m", Priority.FINAL, EDIT_LANE, now=0)
    assert schedule.due(0) == "m"
    schedule.limited("m", retry_after=5, now=0)
    schedule.offer("other", Priority.FIRST, EDIT_LANE, now=1)
    assert in_order(schedule, 5, 2) == ["m", "other"]


def test_a_failure_makes_only_that_message_wait_longer_each_time() -> None:
    schedule = scheduler(PLENTY)
    schedule.offer("m", Priority.FINAL, EDIT_LANE, now=0)
    now, waits = 0.0, []
    for _ in range(8):
        assert schedule.due(now) == "m"
        schedule.failed("m", now)
        schedule.offer("other", Priority.LIVE, EDIT_LANE, now)
        other = in_order(schedule, now, 1)
        assert other == ["other"]
        later = schedule.next_time(now)
        assert later is not None
        waits.append(later - now)
        now = later
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert schedule.due(now) == "m"
    schedule.sent("m", now)
    schedule.offer("m", Priority.FINAL, EDIT_LANE, now)
    assert schedule.due(now) == "m"
    schedule.failed("m", now)
    assert schedule.next_time(now) == now + 1, "success forgives"


def test_a_skipped_message_gives_its_token_back() -> None:
    schedule = scheduler(SCARCE)
    schedule.offer("same", Priority.FINAL, EDIT_LANE, now=0)
    assert schedule.due(0) == "same"
    schedule.skipped("same", 0)
    schedule.offer("other", Priority.FINAL, EDIT_LANE, now=0)
    assert schedule.due(0) == "other"


def test_what_is_forgotten_is_never_due() -> None:
    schedule = scheduler(PLENTY)
    for message in ("waiting", "flying"):
        schedule.offer(message, Priority.FINAL, EDIT_LANE, now=0, owner="run")
    flying = schedule.due(0)
    assert flying is not None
    for message in ("waiting", "flying"):
        schedule.forget(message)
    schedule.forget("never known")
    schedule.sent(flying, 1)
    schedule.skipped(flying, 1)
    schedule.limited(flying, 60, 1)
    schedule.failed(flying, 1)
    assert schedule.next_time(1) is None
    schedule.offer("new", Priority.FINAL, EDIT_LANE, now=1)
    assert schedule.due(1) == "new"


def test_a_probe_that_is_forgotten_does_not_block_its_lane() -> None:
    schedule = scheduler(PLENTY)
    for message in ("a", "b"):
        schedule.offer(message, Priority.FINAL, EDIT_LANE, now=0)
    assert schedule.due(0) == "a"
    schedule.limited("a", 10, 0)
    probe = schedule.due(10)
    assert probe is not None
    assert schedule.next_time(10) is None
    schedule.forget(probe)
    assert schedule.next_time(10) is not None


def test_a_posted_message_moves_to_the_lane_of_edits() -> None:
    schedule = scheduler(SCARCE)
    schedule.offer("m", Priority.FIRST, post_lane("C1"), now=0)
    assert schedule.due(0) == "m"
    schedule.offer("m", Priority.FIRST, post_lane("C1"), now=0)
    schedule.sent("m", 0)
    schedule.offer("m", Priority.LIVE, EDIT_LANE, now=0)
    assert schedule.due(0) == "m", "the posts' only token is gone, the edits' is not"
    schedule.sent("m", 0)
    assert schedule.next_time(0) is None


def test_channels_come_and_go_without_leaving_anything_behind() -> None:
    asked: list[str] = []

    def budget_for(lane: str) -> Budget:
        asked.append(lane)
        return SCARCE

    schedule: Scheduler = EditScheduler(budget_for)
    for index in range(50):
        now = index * 100.0
        schedule.offer(f"m{index}", Priority.FINAL, post_lane(f"C{index}"), now)
        assert schedule.due(now) == f"m{index}"
        schedule.sent(f"m{index}", now)
        schedule.forget(f"m{index}")
    schedule.offer("again", Priority.FINAL, post_lane("C0"), 5_000)
    assert asked.count(post_lane("C0")) == 2, "its bucket was full again, and dropped"
    schedule.offer("again", Priority.FINAL, post_lane("C0"), 5_001)
    assert len(asked) == 51


def test_a_budget_of_one_still_shows_output_and_the_clock() -> None:
    schedule = scheduler(Budget(rate=0.5, burst=1))
    schedule.offer("live", Priority.LIVE, EDIT_LANE, now=0)
    schedule.offer("idle", Priority.IDLE, EDIT_LANE, now=0)
    assert in_order(schedule, 0, 2) == ["live", "idle"]
