"""Files: an address to upload to, then the sharing of what was uploaded."""

from bot.simulator.slack import payloads
from bot.simulator.slack.api.call import ApiError, Call, Method
from bot.simulator.slack.api.chat import read_blocks
from bot.simulator.slack.hub import Kind
from bot.simulator.slack.model import File, Json


def get_upload_url(call: Call) -> Json:
    """Where to send ``length`` bytes."""
    call.need("filename", "length")
    length = call.number("length", 0)
    if length <= 0:
        raise ApiError("invalid_arguments", ["must be greater than 0 [json-pointer:/length]"])
    workspace = call.workspace
    name = call.string("filename")
    file = File(workspace.serial("F"), name, length, workspace.app.bot_user, title=name)
    workspace.files[file.id] = file
    return {"upload_url": f"{workspace.base_url}/upload/v1/{file.id}", "file_id": file.id}


def complete_upload(call: Call) -> Json:
    """Publish uploaded files, in a channel or thread where one is named."""
    call.need("files")
    files = _uploaded(call)
    workspace = call.workspace
    if call.string("channel_id"):
        channel = call.channel("channel_id", member=True)
        if channel.archived:
            raise ApiError("is_archived")
        thread_ts = call.string("thread_ts") or None
        if thread_ts and workspace.message(channel.id, thread_ts) is None:
            raise ApiError("thread_not_found")
        blocks, comment = read_blocks(call), call.string("initial_comment")
        _finish(call, files)
        workspace.post(
            channel.id,
            workspace.app.bot_user,
            comment,
            blocks=blocks,
            thread_ts=thread_ts,
            subtype="file_share",
            files=files,
            hide_app=True,
        )
    else:
        _finish(call, files)
    return {"files": [payloads.file(workspace, file) for file in files]}


def _uploaded(call: Call) -> list[File]:
    listed = call.structure("files")
    if not isinstance(listed, list) or not listed or not all(isinstance(item, dict) for item in listed):
        raise ApiError("invalid_arguments", ["must provide an array of objects [json-pointer:/files]"])
    found: list[File] = []
    for item in listed:
        file = call.workspace.files.get(str(item.get("id")))
        if file is None or file.completed:
            raise ApiError("file_not_found")
        if file.content is None:
            raise ApiError("file_update_failed")
        file.title = item.get("title") or file.name
        found.append(file)
    return found


def _finish(call: Call, files: list[File]) -> None:
    for file in files:
        file.completed = True
        call.workspace.hub.publish(Kind.FILE, file)


def info(call: Call) -> Json:
    """One file; its content only where it is small, as Slack previews it."""
    call.need("file")
    file = call.workspace.files.get(call.string("file"))
    if file is None or not file.completed:
        raise ApiError("file_not_found")
    return {"file": payloads.file(call.workspace, file), "content": file.text[:8000]}


METHODS = {
    "files.getUploadURLExternal": Method(get_upload_url, "files:write", json=False),
    "files.completeUploadExternal": Method(complete_upload, "files:write"),
    "files.info": Method(info, "files:read", json=False),
}
