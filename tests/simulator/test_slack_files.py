"""Uploads: an address, the bytes, and the sharing."""

import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.slack import LocalSlack
from tests.support.slack import client_of, error_of


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    async with LocalSlack() as opened:
        yield opened


@pytest.fixture
def client(slack: LocalSlack) -> AsyncWebClient:
    return client_of(slack)


async def upload(url: str, data: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.post(url, data=data) as response:
        return response.status, await response.text()


async def test_a_file_reaches_its_thread_whole(slack: LocalSlack, client: AsyncWebClient) -> None:
    root = (await client.chat_postMessage(channel="C0TEAM", text="root"))["ts"]
    content = "líne\n" * 400_000  # more than the limit on other bodies
    data = content.encode()
    asked = await client.files_getUploadURLExternal(filename="task.log", length=len(data))
    assert await upload(asked["upload_url"], io.BytesIO(data)) == (200, f"OK - {len(data)}")
    await client.files_completeUploadExternal(
        files=[{"id": asked["file_id"], "title": "task.log"}],
        channel_id="C0TEAM",
        thread_ts=root,
        initial_comment="All of it",
    )
    [message] = slack.messages("#team", root)
    assert slack.visible(message) == "All of it\n[file: task.log]"
    [file] = slack.files
    assert file.text == content
    assert (file.completed, file.shares) == (True, [("C0TEAM", message.ts)])
    info = (await client.files_info(file=file.id))["file"]
    assert info["shares"]["public"]["C0TEAM"] == [{"ts": message.ts}]


async def test_the_sdks_upload_works(slack: LocalSlack, client: AsyncWebClient) -> None:
    await client.files_upload_v2(channel="C0TEAM", filename="task.log", content="small")
    assert slack.messages("#team")[0].files[0].content == b"small"


async def test_uploads_are_raw_or_forms_and_of_the_promised_size(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    asked = await client.files_getUploadURLExternal(filename="a.txt", length=3)
    assert await upload(asked["upload_url"], b"toolong") == (400, "expected 3 bytes, got 7")
    form = aiohttp.FormData()
    form.add_field("file", b"abc", filename="a.txt")
    assert await upload(asked["upload_url"], form) == (200, "OK - 3")
    slack.fail("upload", status=500)
    assert (await upload(asked["upload_url"], b"abc"))[0] == 500
    assert (await client.files_completeUploadExternal(files=[{"id": asked["file_id"], "title": "T"}]))["ok"]
    assert slack.files[0].title == "T"
    assert slack.messages("#team") == []
    assert (await upload(asked["upload_url"], b"abc"))[0] == 404


async def test_what_is_not_there_can_not_be_shared(slack: LocalSlack, client: AsyncWebClient) -> None:
    asked = await client.files_getUploadURLExternal(filename="a.txt", length=1)
    files = [{"id": asked["file_id"], "title": "a"}]

    async def complete(**more: Any) -> str:
        refused = await error_of(client.files_completeUploadExternal(**{"files": files, **more}))
        return str(refused["error"])

    assert await complete() == "file_update_failed"
    assert await complete(files=[{"id": "F0"}]) == "file_not_found"
    await upload(asked["upload_url"], b"x")
    assert await complete(channel_id="C0OPEN") == "not_in_channel"
    assert await complete(channel_id="U0ANN") == "channel_not_found"
    assert await complete(channel_id="C0OLD") == "is_archived"
    assert await complete(channel_id="C0TEAM", thread_ts="1.0") == "thread_not_found"
    assert (await error_of(client.files_info(file=asked["file_id"])))["error"] == "file_not_found"
    assert (await error_of(client.api_call("files.completeUploadExternal", json={"files": [1]})))[
        "error"
    ] == ("invalid_arguments")
    empty = client.files_getUploadURLExternal(filename="a.txt", length=0)
    assert (await error_of(empty))["error"] == "invalid_arguments"
    assert not slack.files[0].completed
