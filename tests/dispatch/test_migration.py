"""procrastinate's tables come and go with ours."""

from alembic import command
from sqlalchemy import create_engine

from bot.store import dialect
from bot.store.migrate import config
from tests.store.databases import Schema


def things(schema: Schema) -> int:
    [(count,)] = schema.rows(
        "SELECT (SELECT count(*) FROM pg_class WHERE relname LIKE %s AND relnamespace = current_schema()::regnamespace)"
        " + (SELECT count(*) FROM pg_proc WHERE proname LIKE %s AND pronamespace = current_schema()::regnamespace)"
        " + (SELECT count(*) FROM pg_type WHERE typname LIKE %s AND typnamespace = current_schema()::regnamespace)",
        [r"procrastinate\_%"] * 3,
    )
    return int(count)


def test_all_the_way_down_and_up_again(schema: Schema) -> None:
    before = things(schema)
    assert before > 10
    engine = create_engine(dialect.parse(schema.url))
    with engine.begin() as connection:
        command.downgrade(config(connection), "0004")
    assert things(schema) == 0
    with engine.begin() as connection:
        command.upgrade(config(connection), "head")
    engine.dispose()
    assert things(schema) == before
