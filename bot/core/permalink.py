"""The address of a message in Slack, as ``chat.getPermalink`` would give it."""


def permalink(site: str, channel: str, ts: str, thread_ts: str | None = None) -> str:
    """``site`` is the workspace's address, like ``https://acme.slack.com``; ``thread_ts`` is for messages in a thread."""
    address = f"{site.rstrip('/')}/archives/{channel}/p{ts.replace('.', '')}"
    return address if thread_ts in {None, ts} else f"{address}?thread_ts={thread_ts}&cid={channel}"
