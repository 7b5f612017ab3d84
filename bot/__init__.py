"""Work with a coding agent from Slack: live, edited output for every task, in a thread."""

__version__ = "0.1.0"
