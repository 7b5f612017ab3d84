"""Every sentence that a person reads, in Slack's mrkdwn, escaped, saying what to do next.

Arguments are plain text and are escaped here. Sentences never name a part of the bot or quote an exception.
"""
