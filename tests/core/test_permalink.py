from bot.core.permalink import permalink


def test_a_message_in_a_channel() -> None:
    link = permalink("https://acme.slack.com/", "C1", "1700000000.000100")
    assert link == "https://acme.slack.com/archives/C1/p1700000000000100"
    assert permalink("https://acme.slack.com", "C1", "1700000000.000100", "1700000000.000100") == link


def test_a_message_in_a_thread_names_its_thread() -> None:
    assert permalink("https://slack.com", "C1", "2.000100", "1.000100") == (
        "https://slack.com/archives/C1/p2000100?thread_ts=1.000100&cid=C1"
    )
