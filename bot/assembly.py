"""What a process is made of: settings in, the parts of a bot out, each knowing those that it needs."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot import about
from bot.clock import Clock
from bot.cloudcoding.client import CloudCoding, Timeouts
from bot.core.access import Limits, Policy
from bot.core.redact import Secrets
from bot.core.slacktext import without_mention
from bot.meter import Meter
from bot.model import Options
from bot.runs.admission import Admission
from bot.runs.answers import Answers
from bot.runs.board import Board
from bot.runs.bus import Bus
from bot.runs.closing import Closing
from bot.runs.commands import Commands
from bot.runs.dispatcher import Dispatcher, LocalDispatcher
from bot.runs.editor import Editor
from bot.runs.edits import Edits
from bot.runs.floor import Floor
from bot.runs.homes import SharedHomes
from bot.runs.intake import Intake
from bot.runs.keeper import Keeper
from bot.runs.lookout import Lookout
from bot.runs.metered import MeteredPoster
from bot.runs.places import Places
from bot.runs.precedence import Precedence
from bot.runs.queue import Queue
from bot.runs.reactions import Reactions
from bot.runs.recovery import Recovery
from bot.runs.runner import Workshop
from bot.runs.sessions import Sessions
from bot.runs.shares import Shares
from bot.runs.suggestions import Suggestions
from bot.runs.summary import Summaries
from bot.runs.supervisor import Supervisor
from bot.settings import Settings
from bot.slack.forms import Forms
from bot.slack.home import HomeTabs
from bot.slack.identity import Identity
from bot.slack.messenger import SlackMessenger
from bot.slack.settings_form import SettingsForm
from bot.store import dialect
from bot.store.preparing import is_shared
from bot.store.store import Store

SLACK_SECONDS = 10  # for one call of the Web API


@dataclass(slots=True)
class Parts:
    """What the composition root starts, and what Slack's edge calls."""

    client: AsyncWebClient
    identity: Identity
    precedence: Precedence
    messenger: SlackMessenger
    editor: Editor
    shares: Shares
    bus: Bus
    dispatcher: Dispatcher
    places: Places
    queue: Queue
    intake: Intake
    edits: Edits
    suggestions: Suggestions
    commands: Commands
    forms: Forms
    home_tabs: HomeTabs
    settings_form: SettingsForm
    keeper: Keeper
    meter: Meter


def assemble(
    settings: Settings,
    clock: Clock,
    store: Store,
    session: aiohttp.ClientSession,
    supervisor: Supervisor,
    *,
    meter: Meter,
    works: bool,
) -> Parts:
    """All parts of one process, which executes runs where it ``works``; nothing of them has begun yet.

    Everything is counted in ``meter``.
    """
    secrets = Secrets(settings.secret_values())
    client = AsyncWebClient(
        token=settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else None,
        base_url=settings.slack_api_url,
        session=session,
        timeout=SLACK_SECONDS,
        retry_handlers=[],
    )
    identity = Identity(client)
    precedence = Precedence()
    messenger = SlackMessenger(client, session, clock)
    poster = MeteredPoster(messenger, meter)
    editor = Editor(poster, clock, lull=precedence.lull)
    editor.on_skipped = poster.skipped
    board = Board(editor, secrets)
    reactions = Reactions(messenger, supervisor)
    default_repo = settings.cloudcoding_default_repo
    summaries = Summaries(store, secrets, clock, identity.site)
    home_tabs = HomeTabs(
        messenger,
        store,
        summaries,
        supervisor,
        secrets=secrets,
        clock=clock,
        default_repo=default_repo,
    )
    shared = is_shared(settings.database_url)
    bus = Bus(store, store.owner, clock, signs=shared)
    homes = SharedHomes(home_tabs, bus, supervisor)
    workshop = Workshop(
        store=store,
        editor=editor,
        messenger=messenger,
        board=board,
        reactions=reactions,
        sessions=Sessions(messenger, supervisor, lambda: identity.may("assistant:write")),
        home=homes,
        closing=Closing(editor, messenger, store, secrets),
        supervisor=supervisor,
        upstream=CloudCoding(
            session,
            settings.cloudcoding_api_url,
            settings.cloudcoding_api_key.get_secret_value(),
            timeouts=Timeouts(
                headers=settings.cloudcoding_idle_timeout, idle=settings.cloudcoding_idle_timeout
            ),
            github_url=settings.github_url,
            meter=meter,
        ),
        meter=meter,
        clock=clock,
        secrets=secrets,
        github_token=settings.github_token.get_secret_value() if settings.github_token else "",
        github_host=urlsplit(settings.github_url).netloc,
    )
    room = settings.max_concurrent_runs if works else 0
    floor = Floor(workshop, store.owner, room, settings.max_runs_per_workspace)
    dispatcher: Dispatcher = LocalDispatcher(store, floor)
    if shared:
        from bot.dispatch.dispatcher import SharedDispatcher  # noqa: PLC0415  10 MB that a file has no use for

        connecting = dialect.connecting(settings.database_url)
        dispatcher = SharedDispatcher(store, floor, supervisor, connecting)
    places = Places(store, floor, board, clock)
    queue = Queue(workshop, floor, places, dispatcher, bus)
    admission = Admission(
        store=store,
        messenger=messenger,
        board=board,
        queue=queue,
        reactions=reactions,
        home=homes,
        supervisor=supervisor,
        precedence=precedence,
        secrets=secrets,
        limits=Limits(settings.max_runs_per_user, settings.max_runs_per_channel, settings.max_runs_per_day),
        policy=Policy(settings.allowed_users, settings.allowed_channels, settings.allowed_repos),
        clock=clock,
    )
    defaults = Options(repo=default_repo)
    lookout = Lookout(store, supervisor, clock)
    commands = Commands(
        store, queue, admission, lookout, supervisor, summaries, clock, default_repo, about.readme()
    )
    answers = Answers(store, queue, admission, supervisor, clock, meter)
    intake = Intake(store, queue, admission, commands, answers, lookout, supervisor, clock, defaults)
    edits = Edits(
        store,
        queue,
        admission,
        answers,
        messenger,
        lookout,
        unaddressed=lambda text: without_mention(text, identity.bot.user_id),
    )
    suggestions = Suggestions(
        messenger, admission, supervisor, intake.defaults_at, lambda: identity.may("assistant:write")
    )
    forms = Forms(messenger, intake, supervisor)
    recovery = Recovery(workshop, admission, floor)
    queue.left_behind = recovery.adopt
    role = "worker" if floor.works else "web"
    keeper = Keeper(store, clock, floor, board, editor, recovery, role=role)
    settings_form = SettingsForm(messenger, store, home_tabs, admission, supervisor, clock)
    return Parts(
        client,
        identity,
        precedence,
        messenger,
        editor,
        Shares(store, editor, bus, supervisor, clock),
        bus,
        dispatcher,
        places,
        queue,
        intake,
        edits,
        suggestions,
        commands,
        forms,
        home_tabs,
        settings_form,
        keeper,
        meter,
    )
