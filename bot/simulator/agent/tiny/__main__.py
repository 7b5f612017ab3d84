"""The program: reads its prompt, works in the current directory, and writes its answer where it is told to."""

import json
import os
import re
import sys
from pathlib import Path

from bot.simulator.agent.tiny.jobs import chosen
from bot.simulator.agent.tiny.screen import BOLD, DIM, GREEN, Screen

_DIRECTORY = re.compile(r"\s*Work in the directory `([^`\n]+)`\.\s*\Z")
_QUOTED = 100


def main(prompt: str) -> int:
    """Work on one prompt; returns the exit status. Parallel tasks are told their directory in words."""
    screen = Screen(float(os.environ.get("AGENT_PACE", "1")))
    if directory := _DIRECTORY.search(prompt):
        prompt = prompt[: directory.start()]
        place = Path(directory[1]).resolve()
        if not place.is_dir() or not place.is_relative_to(Path.cwd()):
            screen.say(f"There is no directory {directory[1]} in this repository.")
            return 1
        os.chdir(place)
    screen.say(f"{BOLD}Local agent{DIM} ({os.environ.get('AGENT_MODEL', 'sonnet')})")
    earlier = _earlier()
    if earlier:
        screen.say(f"{DIM}Going on from “{earlier}”")
    screen.say(f"{DIM}> {_shortened(prompt)}")
    screen.pause(0.5)
    found = [work(screen) for work in chosen(prompt)]
    _answer("\n\n".join([_opening(prompt, earlier), *found]))
    screen.say(f"\n{BOLD}{GREEN}✔ Finished")
    return 0


def _earlier() -> str:
    """The newest prompt of the conversation so far; empty where this is its first."""
    path = os.environ.get("AGENT_CONVERSATION")
    turns = json.loads(Path(path).read_text()) if path else []
    return next((_shortened(turn["content"]) for turn in reversed(turns) if turn["type"] == "human"), "")


def _opening(prompt: str, earlier: str) -> str:
    followed = f"You had asked “{earlier}”; now " if earlier else ""
    return f"{followed}“{_shortened(prompt)}”. I can only look at code, not change it; this is what I found."


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _QUOTED else f"{line[: _QUOTED - 1]}…"


def _answer(markdown: str) -> None:
    path = os.environ.get("AGENT_ANSWER")
    if path:
        Path(path).write_text(markdown)
    else:
        print(f"\n{markdown}")  # noqa: T201  a program run by hand answers on its terminal


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
