"""``python -m bot demo``: the real bot between a local Slack and a local agent, with nothing to sign up for."""

import argparse
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``demo``."""
    parser.add_argument("--serve", action="store_true", help="stay up and take what you type, until Ctrl-C")
    parser.add_argument(
        "--repo",
        metavar="PATH_OR_URL",
        help="the git repository to work on (default: this project itself)",
    )
    parser.add_argument(
        "--agent-command",
        metavar="CMD",
        help="what works on it instead of the built-in agent: gets the prompt as its last argument, or for {prompt}",
    )
    parser.add_argument("--fast", action="store_true", help="at full speed instead of a person's")
    parser.add_argument("--picture", metavar="FILE.svg", type=Path, help="save a picture of what was seen")


def demo(arguments: argparse.Namespace) -> int:
    """Play the demo, or serve until interrupted; returns the exit status."""
    # The command line knows the options of every command; only this one needs the rest.
    from bot.simulator.demo.play import Choices, run  # noqa: PLC0415  as above

    return run(
        Choices(
            repo=arguments.repo,
            agent_command=arguments.agent_command,
            serve=arguments.serve,
            fast=arguments.fast,
            picture=arguments.picture,
        ),
        sys.stdout,
    )
