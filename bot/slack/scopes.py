"""What the bot token must be allowed to do; the manifest asks for the same."""

NEEDED = {
    "app_mentions:read": "mentions of the bot",
    "channels:history": "replies in threads of public channels",
    "channels:join": "replies in public channels that it wasn't invited to",
    "chat:write": "all messages",
    "chat:write.public": "the first message in a public channel",
    "commands": "/code",
    "files:read": "files attached to a request",
    "files:write": "complete logs",
    "groups:history": "replies in private channels",
    "im:history": "direct messages",
    "mpim:history": "direct messages of several people",
    "reactions:write": "reactions on replies",
    "users:read": "telling members from guests",
}
"""Scopes, each with what does not work without it."""
