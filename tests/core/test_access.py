from dataclasses import replace

import pytest

from bot.core.access import Denied, Exceeded, Limits, Policy, Usage
from bot.model import Person

ANN = Person("U0ANN", "Ann", "T0")


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (ANN, None),
        (replace(ANN, is_guest=True), Denied.GUEST),
        (replace(ANN, is_stranger=True), Denied.STRANGER),
        (replace(ANN, is_bot=True), Denied.BOT),
        (replace(ANN, deleted=True), Denied.DEACTIVATED),
        (replace(ANN, is_guest=True, is_stranger=True, is_bot=True, deleted=True), Denied.BOT),
    ],
)
def test_only_full_members_may(person: Person, reason: Denied | None) -> None:
    assert Policy().denies(person, "C1", "acme/api") is reason


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Policy(users=("U0ANN",)), None),
        (Policy(users=("U0BEN", "U0A*")), None),
        (Policy(users=("U0BEN",)), Denied.USER),
        (Policy(channels=("C1",)), None),
        (Policy(channels=("C2", "C3")), Denied.CHANNEL),
        (Policy(repos=("acme/*",)), None),
        (Policy(repos=("ACME/Api",)), None),
        (Policy(repos=("acme/ap",)), Denied.REPO),
        (Policy(repos=("acme/web", "other/*")), Denied.REPO),
        (Policy(users=("*",), channels=("*",), repos=("*",)), None),
    ],
)
def test_operators_narrow_it(policy: Policy, reason: Denied | None) -> None:
    assert policy.denies(ANN, "C1", "acme/api") is reason


def test_a_pattern_means_only_its_star() -> None:
    assert Policy(repos=("acme.api",)).denies(ANN, "C1", "acmexapi") is Denied.REPO
    assert Policy(repos=("acme/[a]pi",)).denies(ANN, "C1", "acme/api") is Denied.REPO


def test_what_concerns_no_repository_is_not_refused_for_one() -> None:
    assert Policy(repos=("acme/*",)).denies(ANN, "C1", None) is None


@pytest.mark.parametrize(
    ("limits", "usage", "exceeded"),
    [
        (Limits(), Usage(1_000, 1_000, 1_000), None),
        (Limits(user=2), Usage(user=1, channel=9, day=9), None),
        (Limits(user=2), Usage(user=2), (Exceeded.USER, 2)),
        (Limits(channel=3), Usage(channel=3), (Exceeded.CHANNEL, 3)),
        (Limits(day=1), Usage(day=5), (Exceeded.DAY, 1)),
        (Limits(user=1, channel=1, day=1), Usage(1, 1, 1), (Exceeded.USER, 1)),
    ],
)
def test_limits_leave_room_or_not(
    limits: Limits, usage: Usage, exceeded: tuple[Exceeded, int] | None
) -> None:
    assert limits.exceeded(usage) == exceeded


def test_a_channel_that_is_not_chosen_yet_is_not_refused() -> None:
    assert Policy(channels=("C2",)).denies(ANN, "", None) is None


def test_a_repository_is_open_to_all_or_to_none() -> None:
    assert Policy().opens("acme/api")
    assert Policy(repos=("Acme/*",)).opens("acme/api")
    assert not Policy(repos=("acme/*",)).opens("other/lib")
