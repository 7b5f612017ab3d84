"""What both kinds of verbs share: the workspace, the courier, and what a client refuses to do."""

from bot.simulator.slack.delivery import Courier, Delivery, DeliveryKind
from bot.simulator.slack.model import Channel, Json, User
from bot.simulator.slack.workspace import Workspace


class RefusedError(Exception):
    """Slack's client would not let this person do that."""


class Desk:
    """The place from which people use Slack."""

    def __init__(self, workspace: Workspace, courier: Courier) -> None:
        self.workspace = workspace
        self.courier = courier

    def at(self, who: str, where: str) -> tuple[User, Channel]:
        """A person in a channel; raises ``RefusedError`` where they can't act in it."""
        user, channel = self.workspace.user(who), self.workspace.channel(where)
        if user.deactivated:
            raise RefusedError(f"{user.name} is deactivated")
        if user.id not in channel.members:
            raise RefusedError(f"{user.name} is not in {where}")
        if channel.archived:
            raise RefusedError(f"{where} is archived")
        return user, channel

    def person(self, user: User) -> Json:
        """A person as interactions show them."""
        return {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team}

    def interaction(self, kind: str, user: User, **parts: object) -> Json:
        """The payload of an interaction; ``parts`` are what its kind adds."""
        app = self.workspace.app
        return {
            "type": kind,
            "user": self.person(user),
            "api_app_id": app.app_id,
            "token": "verification-token",
            "team": {"id": app.team, "domain": app.team_domain},
            "enterprise": None,
            "is_enterprise_install": False,
            **parts,
        }

    async def interact(self, payload: Json) -> Delivery:
        """Deliver an interaction."""
        return await self.courier.deliver(DeliveryKind.INTERACTION, payload)
