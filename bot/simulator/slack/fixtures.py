"""The people, the app and the channels that every local workspace begins with."""

from dataclasses import dataclass

from bot.simulator.slack.model import Channel, ChannelKind, User

TEAM = "T0LOCAL"
OTHER_TEAM = "T0OTHER"


@dataclass(frozen=True, slots=True)
class App:
    """The ids of the app under test and of its bot user."""

    app_id: str = "A0CODE"
    bot_id: str = "B0CODE"
    bot_user: str = "U0CODE"
    bot_name: str = "code"
    team: str = TEAM
    team_name: str = "Local"
    team_domain: str = "local"


def users(app: App) -> list[User]:
    """Two full members, and one of each kind of people and bots that a request may come from."""
    return [
        User("U0ANN", "ann", "Ann Archer", TEAM),
        User("U0BEN", "ben", "Ben Baker", TEAM),
        User("U0GUEST", "guest", "Gus Guest", TEAM, guest=True),
        User("U0STRANGER", "stranger", "Sam Stranger", OTHER_TEAM, stranger=True),
        User("U0GONE", "gone", "Gil Gone", TEAM, deactivated=True),
        User("U0OTHERBOT", "otherbot", "Other Bot", TEAM, bot_id="B0OTHERBOT"),
        User(app.bot_user, app.bot_name, "Code", TEAM, bot_id=app.bot_id),
    ]


def channels(app: App) -> list[Channel]:
    """One channel of each kind, and a direct conversation between the bot and each person of the team."""
    people = ["U0ANN", "U0BEN"]
    public, private, direct = ChannelKind.PUBLIC, ChannelKind.PRIVATE, ChannelKind.DIRECT
    return [
        Channel("C0TEAM", "team", public, [*people, "U0GUEST", "U0GONE", "U0OTHERBOT", app.bot_user]),
        Channel("C0OPEN", "open", public, [*people]),
        Channel("C0PRIVATE", "private", private, [*people, app.bot_user]),
        Channel("C0HIDDEN", "hidden", private, [*people]),
        Channel("C0OLD", "old", public, [*people, app.bot_user], archived=True),
        Channel("C0SHARED", "shared", public, [*people, "U0STRANGER", app.bot_user], shared=True),
        Channel("D0ANN", "@ann", direct, ["U0ANN", app.bot_user]),
        Channel("D0BEN", "@ben", direct, ["U0BEN", app.bot_user]),
        Channel("D0GUEST", "@guest", direct, ["U0GUEST", app.bot_user]),
    ]
