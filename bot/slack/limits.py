"""Slack's numbers, in characters or counts, and how far the bot stays below them.

From Slack's Block Kit and Web API reference; ``MESSAGE`` and ``TEXT`` are from experience, since Slack refuses
longer messages (``msg_blocks_too_long``, ``msg_too_long``) without documenting where.
"""

# Slack's own
BLOCKS = 50  # in a message
VIEW_BLOCKS = 100  # in a form or a home tab
SECTION = 3_000
MARKDOWN = 12_000  # all markdown blocks of a message together
CONTEXT_ELEMENTS = 10
ACTIONS = 25  # buttons in one block
LABEL = 75  # a button's text
VALUE = 2_000  # a button's value
URL = 3_000  # a button's address
BLOCK_ID = 255
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_LABEL = 30
TEXT = 4_000  # beside blocks, in an edit

# Ours, below them
MESSAGE = 9_000  # all texts of a message's blocks together
SUMMARY = 500  # `text` beside blocks: the notification
NOTICE = 8_500  # an answer to one person
ROW = 350  # a line of a list; twenty of them and a text stay below MESSAGE
ROWS = 21  # lines of a list, one of which may count the others
WIDTH = 60  # the widest line of our own, so that it does not wrap on a phone
PROMPT = 600  # of a request, in its root message
PROMPT_LINES = 12
TASK_PROMPTS = 2_000  # of all tasks of a request together
TASK_NAME = 40
TASKS = 20  # lines of the roll-up
NOTE = 1_000
TAIL = 3_000
TAIL_LINES = 40
LINKS = 5  # buttons that open an address
LINK_URLS = 1_000  # all their addresses together
