"""Who may be sent when: order, pace, fairness, and what Slack's answers change."""

from collections import Counter

import pytest

from bot.core.budget import Budget
from bot.core.schedule import EditScheduler, Priority, edit_lane, post_lane, rollup_part, slack_budget

Scheduler = EditScheduler[str]
EDITS = edit_lane("T1")
PLENTY = Budget(rate=100, burst=100)
SCARCE = Budget(rate=1, burst=1)


def scheduler(budget: Budget = SCARCE) -> Scheduler:
    return EditScheduler(lambda _: budget)


def all_due(schedule: Scheduler, now: float) -> list[str]:
    """Everything that may be sent now, each answered before the next."""
    due = []
    while (message := schedule.due(now)) is not None:
        due.append(message)
        schedule.sent(message, now)
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
    assert 49 / 60 < slack_budget(EDITS).rate < 50 / 60
    assert slack_budget(EDITS).burst < 10
    assert slack_budget(post_lane("T1", "C1")) == slack_budget(post_lane("T1", "C2"))
    assert slack_budget(post_lane("T1", "C1")).rate < 1


def test_finals_first_then_firsts_then_live_then_the_clock() -> None:
    schedule = scheduler()
    for priority in reversed(Priority):
        schedule.offer(priority.name, priority, EDITS, now=0)
    assert in_order(schedule, 0, 5) == ["OVERDUE", "FINAL", "FIRST", "LIVE", "IDLE"]


def test_a_message_is_in_flight_once_and_what_comes_meanwhile_follows() -> None:
    schedule = scheduler(PLENTY)
    schedule.offer("m", Priority.LIVE, EDITS, now=0)
    assert schedule.due(0) == "m"
    schedule.offer("m", Priority.FINAL, EDITS, now=0.1)
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
        schedule.offer("m", Priority.LIVE, EDITS, now)
        due = all_due(schedule, now)
        assert due == (["m"] if tenth % 10 == 0 else [])
        for message in due:
            schedule.sent(message, now)


def test_a_final_need_not_wait_for_the_second_to_be_over() -> None:
    schedule = EditScheduler[str]()
    schedule.offer("m", Priority.LIVE, EDITS, 0)
    schedule.sent(schedule.due(0) or "", 0)
    schedule.offer("m", Priority.FINAL, EDITS, 0.1)
    assert schedule.due(0.1) == "m"


def test_half_of_the_burst_is_kept_for_what_is_urgent() -> None:
    schedule = scheduler(Budget(rate=0.001, burst=10))
    for index in range(20):
        schedule.offer(f"live {index}", Priority.LIVE, EDITS, now=0)
    assert 0 < len(all_due(schedule, 10) + all_due(schedule, 600)) <= 5
    for index in range(5):
        schedule.offer(f"final {index}", Priority.FINAL, EDITS, now=601)
    assert sorted(all_due(schedule, 601)) == [f"final {index}" for index in range(5)]


@pytest.mark.parametrize(("messages", "kept"), [(1, 1), (2, 2), (20, 5), (80, 6.5)])
def test_no_more_is_kept_than_there_are_messages_that_will_end(messages: int, kept: float) -> None:
    schedule = scheduler(Budget(rate=0.1, burst=10))
    for index in range(10):
        schedule.offer(f"final {index}", Priority.FINAL, EDITS, now=0)
    assert len(all_due(schedule, 0)) == 10
    for index in range(messages):
        schedule.offer(f"live {index}", Priority.LIVE, EDITS, now=0)
    assert schedule.next_time(0) == pytest.approx((1 + kept) / 0.1)


def test_calls_follow_one_another_but_not_for_long() -> None:
    schedule = scheduler(PLENTY)
    for message in ("a", "b", "c"):
        schedule.offer(message, Priority.FINAL, EDITS, now=0)
    assert schedule.due(0) == "a"
    assert schedule.due(0.1) is None
    assert schedule.next_time(0.1) == 1
    schedule.sent("a", 0.2)
    assert schedule.due(0.2) == "b"
    assert schedule.due(1.1) is None
    assert schedule.due(1.2) == "c", "a slow Slack costs no tokens"


def test_the_next_time_is_when_the_token_comes_back() -> None:
    schedule = scheduler(Budget(rate=0.25, burst=2))
    for message in ("a", "b", "c"):
        schedule.offer(message, Priority.FINAL, EDITS, now=10)
    schedule.offer("live", Priority.LIVE, EDITS, now=10)
    assert schedule.next_time(10) == 10
    assert all_due(schedule, 10) == ["a", "b"]
    assert schedule.next_time(10) == 14
    assert all_due(schedule, 14) == ["c"]
    assert schedule.next_time(14) == pytest.approx(14 + 2 * 4), "the rest is kept"


def test_output_that_is_not_worth_its_token_yet_is_looked_at_again_soon() -> None:
    schedule = scheduler(Budget(rate=1, burst=10))
    for index in range(10):
        schedule.offer(f"m{index}", Priority.LIVE, EDITS, now=0)
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
        schedule.offer(f"m{index}", Priority.IDLE, EDITS, now=0)
    assert len(all_due(schedule, 0)) == 4
    assert schedule.next_time(0) == pytest.approx(0.4)
    assert len(all_due(schedule, 0.4)) == 1


def test_output_makes_a_tick_more_urgent_and_a_tick_makes_nothing_less_so() -> None:
    schedule = scheduler()
    schedule.offer("a", Priority.IDLE, EDITS, now=0)
    schedule.offer("b", Priority.LIVE, EDITS, now=50)
    schedule.offer("b", Priority.IDLE, EDITS, now=51)
    schedule.offer("a", Priority.LIVE, EDITS, now=60)
    assert in_order(schedule, 61, 2) == ["b", "a"], "a's output is the younger one, whatever its clock showed"


def test_of_two_the_one_goes_first_that_will_then_rest_longer() -> None:
    schedule = scheduler(PLENTY)
    for tenth in range(1000):
        now = tenth / 10
        schedule.offer("chatty", Priority.LIVE, EDITS, now)
        if tenth % 200 == 0:
            schedule.offer("sparse", Priority.LIVE, EDITS, now)
        for message in all_due(schedule, now):
            schedule.sent(message, now)
    in_order(schedule, 100, 1)
    for message in ("chatty", "sparse"):
        schedule.offer(message, Priority.LIVE, EDITS, now=102)
    assert all_due(schedule, 102.3) == ["sparse", "chatty"]


@pytest.mark.parametrize("priority", [Priority.FINAL, Priority.FIRST])
def test_owners_take_turns(priority: Priority) -> None:
    schedule = scheduler()
    for index in range(20):
        schedule.offer(f"crowd {index}", priority, EDITS, now=0, owner="crowd")
    for index in range(3):
        schedule.offer(f"few {index}", priority, EDITS, now=0.5, owner="few")
    schedule.offer("lone", priority, EDITS, now=0.5)
    order = [message.split()[0] for message in in_order(schedule, 1, 24)]
    assert order.index("lone") <= 2
    assert [owner for owner in order if owner != "lone"][:6].count("few") == 3


def test_one_that_keeps_coming_back_as_new_takes_turns_as_well() -> None:
    schedule = scheduler()
    for index in range(8):
        schedule.offer(f"crowd {index}", Priority.FINAL, EDITS, now=0, owner="crowd")
    order: list[str] = []
    for second in range(1, 9):
        if not order or order[-1].startswith("new"):
            schedule.offer(f"new {second}", Priority.FINAL, EDITS, second - 0.5, owner="new")
        order += in_order(schedule, second, 1)
        schedule.forget(order[-1])
    assert [message.split()[0] for message in order] == ["crowd", "new"] * 4


def test_lanes_take_turns() -> None:
    schedule = scheduler(PLENTY)
    for index in range(3):
        schedule.offer(f"C1 {index}", Priority.FINAL, post_lane("T1", "C1"), now=0)
        schedule.offer(f"C2 {index}", Priority.FINAL, post_lane("T1", "C2"), now=0)
    assert [message[:2] for message in all_due(schedule, 0)] == ["C1", "C2"] * 3


def test_twenty_chatty_tasks_leave_a_lone_one_more_than_its_share() -> None:
    schedule = EditScheduler[str]()
    edits: list[str] = []
    for tenth in range(3000):
        now = tenth / 10
        for index in range(20):
            schedule.offer(f"crowd {index}", Priority.LIVE, EDITS, now, owner="crowd")
        schedule.offer("lone", Priority.LIVE, EDITS, now, owner="lone")
        for message in all_due(schedule, now):
            edits.append(message)
            schedule.sent(message, now)
    assert 30 < edits.count("lone") < 100, "about one in 1 + sqrt(20)"
    assert min(edits.count(f"crowd {index}") for index in range(20)) >= 5


def test_limited_means_silence_for_all_in_that_lane_and_for_nobody_else() -> None:
    schedule = scheduler(PLENTY)
    for index in range(3):
        schedule.offer(f"m{index}", Priority.LIVE, EDITS, now=0)
    schedule.offer("post", Priority.FIRST, post_lane("T1", "C1"), now=0)
    first = schedule.due(0)
    assert first is not None
    schedule.limited(first, retry_after=30, now=0.1)
    schedule.offer("final", Priority.FINAL, EDITS, now=0.2)
    assert all_due(schedule, 0.3) == ["post"]
    assert schedule.next_time(0.3) == pytest.approx(30.1)
    assert all_due(schedule, 30.0) == []
    assert schedule.due(30.1) == "final"
    assert schedule.due(31) is None, "one flies alone"
    assert schedule.next_time(31) is None
    schedule.sent("final", 31)
    assert sorted(all_due(schedule, 33)) == ["m0", "m1", "m2"]


def test_budgets_that_are_refused_at_a_time_are_not_to_blame() -> None:
    schedule = EditScheduler[str]()
    lanes = [edit_lane("T"), post_lane("T", "C1"), post_lane("T", "C2")]
    for number, lane in enumerate(lanes):
        schedule.offer(f"message {number}", Priority.FIRST, lane, 0.0)
    messages = [schedule.due(0.0) for _ in lanes]
    rates = [lane.bucket.rate for lane in schedule._lanes.values()]
    for number, message in enumerate(messages):
        assert message is not None
        schedule.limited(message, 2, 0.5 + number)
    learned = [lane.bucket.rate / rate for lane, rate in zip(schedule._lanes.values(), rates, strict=True)]
    assert learned == pytest.approx([0.95] * 3)
    alone = EditScheduler[str]()
    alone.offer("message", Priority.FIRST, lanes[0], 0.0)
    assert alone.due(0.0) == "message"
    alone.limited("message", 2, 0.5)
    assert alone._lanes[lanes[0]].bucket.rate == pytest.approx(0.5 * rates[0])


def test_a_limited_message_is_due_again_as_what_it_was() -> None:
    schedule = scheduler(PLENTY)
    schedule.offer("m", Priority.FINAL, EDITS, now=0)
    assert schedule.due(0) == "m"
    schedule.limited("m", retry_after=5, now=0)
    schedule.offer("other", Priority.FIRST, EDITS, now=1)
    assert in_order(schedule, 5, 2) == ["m", "other"]


def test_a_failure_makes_only_that_message_wait_longer_each_time() -> None:
    schedule = scheduler(PLENTY)
    schedule.offer("m", Priority.FINAL, EDITS, now=0)
    now, waits = 0.0, []
    for _ in range(8):
        assert schedule.due(now) == "m"
        schedule.failed("m", now)
        schedule.offer("other", Priority.LIVE, EDITS, now)
        other = in_order(schedule, now, 1)
        assert other == ["other"]
        later = schedule.next_time(now)
        assert later is not None
        waits.append(later - now)
        now = later
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert schedule.due(now) == "m"
    schedule.sent("m", now)
    schedule.offer("m", Priority.FINAL, EDITS, now)
    assert schedule.due(now) == "m"
    schedule.failed("m", now)
    assert schedule.next_time(now) == now + 1, "success forgives"


def test_a_skipped_message_gives_its_token_back() -> None:
    schedule = scheduler(SCARCE)
    schedule.offer("same", Priority.FINAL, EDITS, now=0)
    assert schedule.due(0) == "same"
    schedule.skipped("same", 0)
    schedule.offer("other", Priority.FINAL, EDITS, now=0)
    assert schedule.due(0) == "other"


def test_what_is_forgotten_is_never_due() -> None:
    schedule = scheduler(PLENTY)
    for message in ("waiting", "flying"):
        schedule.offer(message, Priority.FINAL, EDITS, now=0, owner="run")
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
    schedule.offer("new", Priority.FINAL, EDITS, now=1)
    assert schedule.due(1) == "new"


def test_a_probe_that_is_forgotten_does_not_block_its_lane() -> None:
    schedule = scheduler(PLENTY)
    for message in ("a", "b"):
        schedule.offer(message, Priority.FINAL, EDITS, now=0)
    assert schedule.due(0) == "a"
    schedule.limited("a", 10, 0)
    probe = schedule.due(10)
    assert probe is not None
    assert schedule.next_time(10) is None
    schedule.forget(probe)
    assert schedule.next_time(10) is not None


def test_a_posted_message_moves_to_the_lane_of_edits() -> None:
    schedule = scheduler(SCARCE)
    schedule.offer("m", Priority.FIRST, post_lane("T1", "C1"), now=0)
    assert schedule.due(0) == "m"
    schedule.offer("m", Priority.FIRST, post_lane("T1", "C1"), now=0)
    schedule.sent("m", 0)
    schedule.offer("m", Priority.LIVE, EDITS, now=0)
    assert schedule.next_time(0) == 1, "it has just been seen"
    assert schedule.due(1) == "m", "the posts' only token is gone, the edits' is not"
    schedule.sent("m", 1)
    assert schedule.next_time(1) is None


def test_channels_come_and_go_without_leaving_anything_behind() -> None:
    asked: list[str] = []

    def budget_for(lane: str) -> Budget:
        asked.append(lane)
        return SCARCE

    schedule: Scheduler = EditScheduler(budget_for)
    for index in range(50):
        now = index * 100.0
        schedule.offer(f"m{index}", Priority.FINAL, post_lane("T1", f"C{index}"), now)
        assert schedule.due(now) == f"m{index}"
        schedule.sent(f"m{index}", now)
        schedule.forget(f"m{index}")
    schedule.offer("again", Priority.FINAL, post_lane("T1", "C0"), 5_000)
    assert asked.count(post_lane("T1", "C0")) == 2, "its bucket was full again, and dropped"
    schedule.offer("again", Priority.FINAL, post_lane("T1", "C0"), 5_001)
    assert len(asked) == 51


def test_a_budget_of_one_still_shows_output_and_the_clock() -> None:
    schedule = scheduler(Budget(rate=0.5, burst=1))
    schedule.offer("live", Priority.LIVE, EDITS, now=0)
    schedule.offer("idle", Priority.IDLE, EDITS, now=0)
    assert in_order(schedule, 0, 2) == ["live", "idle"]


def test_each_workspace_has_its_own_budget() -> None:
    schedule = scheduler()
    for workspace in ("T1", "T2"):
        schedule.offer(f"{workspace} a", Priority.FINAL, edit_lane(workspace), now=0)
        schedule.offer(f"{workspace} b", Priority.FINAL, edit_lane(workspace), now=0)
    assert sorted(all_due(schedule, 0)) == ["T1 a", "T2 a"]
    limited = schedule.due(1)
    assert limited is not None
    schedule.limited(limited, retry_after=60, now=1)
    other = schedule.due(1)
    assert other is not None
    assert other[:2] != limited[:2], "the silence is the other workspace's alone"


def test_a_part_of_a_workspace_s_budget_and_the_whole_again() -> None:
    schedule = scheduler(Budget(rate=1, burst=8))
    schedule.set_share("T1", 0.25, now=0)
    for index in range(20):
        for workspace in ("T1", "T2"):
            schedule.offer(f"{workspace} {index}", Priority.FINAL, edit_lane(workspace), now=0)
    first = Counter(message[:2] for message in all_due(schedule, 0))
    assert first == {"T1": 2, "T2": 8}
    assert Counter(message[:2] for message in all_due(schedule, 4)) == {"T1": 1, "T2": 4}
    schedule.set_share("T1", 1, now=4)
    assert all_due(schedule, 4) == [], "tokens that others may have spent don't come back at once"
    assert Counter(message[:2] for message in all_due(schedule, 7)) == {"T1": 3, "T2": 3}
    schedule.set_share("T1", 0.5, now=7)
    assert Counter(message[:2] for message in all_due(schedule, 9)) == {"T1": 1, "T2": 2}


def test_a_share_holds_also_for_a_budget_that_is_not_used_yet_and_after_a_refusal() -> None:
    schedule = scheduler(Budget(rate=1, burst=2))
    schedule.set_share("T1", 0.5, now=0)
    for index in range(4):
        schedule.offer(f"m{index}", Priority.FINAL, EDITS, now=0)
    refused = schedule.due(0)
    assert refused is not None
    assert schedule.due(1) is None
    schedule.limited(refused, retry_after=10, now=1)
    assert schedule.next_time(1) == 11
    probe = schedule.due(11)
    assert probe is not None
    schedule.sent(probe, 11)
    assert schedule.next_time(11) == pytest.approx(15), "half of the rate is believed, and half of that ours"


# The roll-up


def chattering(schedule: Scheduler, seconds: int, tasks: int) -> Counter[str]:
    """A run of so many tasks that all print ten times a second, with a roll-up; how often each is sent."""
    sent: Counter[str] = Counter()
    for tenth in range(seconds * 10):
        now = tenth / 10
        for index in range(tasks):
            schedule.offer(f"task {index}", Priority.LIVE, EDITS, now, owner="run")
        schedule.offer("root", Priority.LIVE, EDITS, now, owner="run", lines=tasks)
        sent.update(all_due(schedule, now))
    return sent


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "part"), [(4, 0.25), (8, 0.335), (16, 0.45), (50, 0.28)])
def test_a_roll_up_takes_its_part_first(tasks: int, part: float) -> None:
    assert rollup_part(tasks) == pytest.approx(part, abs=0.01)
    sent = chattering(EditScheduler(), 600, tasks)
    assert sent["root"] / sent.total() == pytest.approx(part, rel=0.06)


def test_a_roll_up_of_few_is_one_among_them() -> None:
    assert [rollup_part(lines) for lines in (1, 2, 3)] == [1 / 2, 1 / 3, 1 / 4]
    assert rollup_part(1_000_000) == 0.25


@pytest.mark.slow
def test_a_roll_up_in_which_little_changes_waits_longer() -> None:
    def rolled(prints: int) -> int:
        schedule, sent = EditScheduler[str](), 0
        for tenth in range(6000):
            now = tenth / 10
            for index in range(20):
                schedule.offer(f"other {index}", Priority.LIVE, EDITS, now, owner="another run")
                if index < prints or tenth == 0:
                    schedule.offer(f"task {index}", Priority.LIVE, EDITS, now, owner="run")
            schedule.offer("root", Priority.LIVE, EDITS, now, owner="run", lines=20)
            sent += all_due(schedule, now).count("root")
        return sent

    assert rolled(prints=3) < 0.8 * rolled(prints=20)


def test_a_roll_up_ends_with_its_run() -> None:
    schedule = scheduler(Budget(rate=1, burst=10))
    chattering(schedule, 60, 4)
    schedule.offer("root", Priority.FINAL, EDITS, 60, owner="run", lines=4)
    assert schedule.due(60) == "root"
    schedule.sent("root", 60)
    schedule.forget("root")
    sent: Counter[str] = Counter()
    for second in range(60, 160):
        for index in range(4):
            schedule.offer(f"task {index}", Priority.LIVE, EDITS, second, owner="run")
        sent.update(all_due(schedule, second))
    assert sent.total() >= 92, "all is for the tasks again"


def test_a_roll_up_need_not_wait_where_tokens_would_be_lost_and_comes_first_after_a_refusal() -> None:
    schedule = scheduler(Budget(rate=1, burst=10))

    def prints(now: float, *tasks: int) -> None:
        for index in tasks:
            schedule.offer(f"task {index}", Priority.LIVE, EDITS, now, owner="run")
        schedule.offer("root", Priority.LIVE, EDITS, now, owner="run", lines=4)

    prints(0, 0, 1, 2, 3)
    assert set(in_order(schedule, 0, 5)) == {"root", "task 0", "task 1", "task 2", "task 3"}
    prints(100, 0)
    assert in_order(schedule, 100, 1) == ["task 0"]
    now = schedule.next_time(100)
    assert now is not None
    while schedule.due(now) != "root":
        now = schedule.next_time(now)
        assert now is not None
    assert now < 102, "its line may be older than that"
    schedule.limited("root", 30, now)
    again = schedule.next_time(now + 30)
    assert again is not None
    assert again < now + 33, "its line is as old as it was"
    assert schedule.due(again) == "root"


def test_two_roll_ups_share_as_their_runs_do() -> None:
    schedule = EditScheduler[str]()
    sent: Counter[str] = Counter()
    for tenth in range(6000):
        now = tenth / 10
        for run, tasks in (("big", 16), ("small", 4)):
            for index in range(tasks):
                schedule.offer(f"{run} {index}", Priority.LIVE, EDITS, now, owner=run)
            schedule.offer(f"{run} root", Priority.LIVE, EDITS, now, owner=run, lines=tasks)
        sent.update(all_due(schedule, now))
    assert 0.2 < sent["small root"] / sent["big root"] < 0.4
    for run, tasks in (("big", 16), ("small", 4)):
        each = [sent[f"{run} {index}"] for index in range(tasks)]
        assert max(each) <= 1.3 * min(each)


def test_what_changes_a_waiting_post_s_time_is_noticed() -> None:
    schedule = scheduler()
    lane = post_lane("T1", "C1")
    for message in "abc":
        schedule.offer(message, Priority.FIRST, lane, 0)
    assert all_due(schedule, 0) == ["a"]
    assert [schedule.next_time(now) for now in (0, 0.3, 0.9)] == [1, 1, 1]

    schedule.pause(lane, 5, 0.9)
    assert [schedule.next_time(now) for now in (0.9, 3)] == [6, 6]

    assert schedule.due(6) == "b"
    schedule.limited("b", 10, 6)
    assert [schedule.next_time(now) for now in (6, 7)] == [16, 16]

    schedule.forget("b")
    schedule.forget("c")
    assert schedule.next_time(7) is None


def test_a_smaller_share_makes_first_edits_wait_longer() -> None:
    schedule = scheduler()
    for message in "ab":
        schedule.offer(message, Priority.FINAL, EDITS, 0)
    assert all_due(schedule, 0) == ["a"]
    assert schedule.next_time(0) == 1
    schedule.set_share("T1", 0.5, 0)
    assert schedule.next_time(0) == 2
