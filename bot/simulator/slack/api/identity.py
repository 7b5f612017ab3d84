"""Who is who: tests of the connection, users, bots, the team."""

from bot.simulator.slack import payloads
from bot.simulator.slack.api.call import ApiError, Call, Method
from bot.simulator.slack.model import Json


def api_test(call: Call) -> Json:
    """Echo, or fail as asked."""
    if error := call.string("error"):
        raise ApiError(error, args=call.args)
    return {"args": call.args}


def auth_test(call: Call) -> Json:
    """Whose token this is."""
    app = call.workspace.app
    return {
        "url": f"https://{app.team_domain}.slack.com/",
        "team": app.team_name,
        "user": app.bot_name,
        "team_id": app.team,
        "user_id": app.bot_user,
        "bot_id": app.bot_id,
        "is_enterprise_install": False,
    }


def users_info(call: Call) -> Json:
    """One user."""
    call.need("user")
    found = call.workspace.users.get(call.string("user"))
    if found is None:
        raise ApiError("user_not_found")
    return {"user": payloads.user(found)}


def bots_info(call: Call) -> Json:
    """One bot."""
    call.need("bot")
    for user in call.workspace.users.values():
        if user.bot_id == call.string("bot"):
            app_id = call.workspace.app.app_id if user.id == call.workspace.app.bot_user else "A0OTHER"
            bot = {
                "id": user.bot_id,
                "deleted": False,
                "name": user.name,
                "app_id": app_id,
                "user_id": user.id,
            }
            return {"bot": bot}
    raise ApiError("bot_not_found")


def team_info(call: Call) -> Json:
    """The team."""
    app = call.workspace.app
    return {"team": {"id": app.team, "name": app.team_name, "domain": app.team_domain, "email_domain": ""}}


def connections_open(call: Call) -> Json:
    """A one-time address for Socket Mode."""
    workspace = call.workspace
    ticket = workspace.serial("ticket-")
    workspace.tickets.add(ticket)
    return {"url": f"{workspace.base_url.replace('http', 'ws', 1)}/link/?ticket={ticket}"}


METHODS = {
    "apps.connections.open": Method(connections_open, token="xapp"),
    "api.test": Method(api_test, token=""),
    "auth.test": Method(auth_test),
    "users.info": Method(users_info, "users:read", json=False),
    "bots.info": Method(bots_info, "users:read", json=False),
    "team.info": Method(team_info, "team:read", json=False),
}
