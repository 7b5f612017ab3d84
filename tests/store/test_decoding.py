"""What is stored as JSON is read by several threads, from their first moment on."""

import subprocess
import sys

KNOWN = """
import bot.store.store
from bot.model import Attachment, Invocation, Options, TaskPrompt
from bot.store.records import Outcome
for kind in (Invocation, Options, TaskPrompt, Attachment, Outcome):
    assert hasattr(kind, "__msgspec_cache__"), kind
"""


def test_every_type_is_known_to_its_decoder_before_there_are_threads() -> None:
    subprocess.run([sys.executable, "-c", KNOWN], check=True)  # a process in which nothing was decoded yet
