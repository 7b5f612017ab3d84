"""The command line: ``python -m bot serve``, ``worker``, ``migrate``, ``doctor`` or ``demo``."""

import argparse
import asyncio
import sys

from bot import __version__
from bot.errors import BotError, SettingsError


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except SettingsError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201  before there is a log, on a terminal
        return 2
    except BotError as error:
        print(f"The bot could not start: {error}", file=sys.stderr)  # noqa: T201  as above
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bot", description="Work with a coding agent from Slack.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the bot")
    serve.set_defaults(run=_serve)
    worker = commands.add_parser("worker", help="execute runs only, beside others on a PostgreSQL database")
    worker.set_defaults(run=_worker)
    migrate = commands.add_parser("migrate", help="bring the database's schema up to date")
    migrate.set_defaults(run=_migrate)
    doctor = commands.add_parser("doctor", help="check settings, tokens, database and what can be reached")
    doctor.set_defaults(run=_doctor)
    demo = commands.add_parser("demo", help="see it work on this machine, with nothing to sign up for")
    _demo_arguments(demo)
    demo.set_defaults(run=_demo)
    return parser


def _serve(_: argparse.Namespace) -> int:
    from bot.app import serve  # noqa: PLC0415  the demo and --help start without the whole bot
    from bot.settings import load  # noqa: PLC0415  as above

    return asyncio.run(serve(load()))


def _worker(_: argparse.Namespace) -> int:
    from bot.app import serve  # noqa: PLC0415  as above
    from bot.settings import load, port_is_own  # noqa: PLC0415  as above

    return asyncio.run(serve(load(), web=False, pages=port_is_own()))


def _migrate(_: argparse.Namespace) -> int:
    from bot.settings import load  # noqa: PLC0415  as above
    from bot.store.migrate import migrate  # noqa: PLC0415  as above

    asyncio.run(migrate(load().database_url))
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from bot.doctor import doctor  # noqa: PLC0415  as above

    return doctor()


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    from bot.simulator.demo import add_arguments  # noqa: PLC0415  as above

    add_arguments(parser)


def _demo(arguments: argparse.Namespace) -> int:
    from bot.simulator.demo import demo  # noqa: PLC0415  as above

    return demo(arguments)


if __name__ == "__main__":
    sys.exit(main())
