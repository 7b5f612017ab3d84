"""The Cloud Coding API: reachable, and with which answer to the key, without starting a run."""

import asyncio
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from bot.doctor.finding import Examination, Finding, ok, unknown, wrong

_PIECE = 2_000  # bytes of an answer that are looked at
_AUTH = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_NO_SUCH_METHOD = (
    b"Missing Authentication Token"  # how Amazon's API gateway answers 403 to a method that isn't there
)


async def service(examination: Examination) -> list[Finding]:
    """Ask with GET, which can't start a run: only a POST does, and that may cost money whatever is in it.

    A service that looks at the key first refuses a wrong one; where it also refuses to answer without any, the key
    is known to be good. Others say only that there is no GET.
    """
    settings = examination.settings
    key = settings.cloudcoding_api_key.get_secret_value()
    url = f"{settings.cloudcoding_api_url}/invoke/stdout"
    host = urlsplit(url).hostname
    try:
        status, without = await asyncio.gather(
            _status(examination, url, {"x-api-key": key}), _status(examination, url, {})
        )
    except (aiohttp.ClientError, OSError):
        return [wrong("Cloud Coding", f"{host} can't be reached: check the network and CLOUDCODING_API_URL.")]
    answered = f"{host} answers (HTTP {status})"
    if status in _AUTH:
        return [wrong("Cloud Coding", f"{answered}: CLOUDCODING_API_KEY was refused.")]
    if status in range(300, 400):
        return [
            wrong(
                "Cloud Coding",
                f"{answered} with a redirect: CLOUDCODING_API_URL should be the address that it leads to.",
            )
        ]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return [wrong("Cloud Coding", f"{answered}: it has trouble, so try again later.")]
    if without in _AUTH:
        return [ok("Cloud Coding", f"{host} accepts the key.")]
    return [
        ok("Cloud Coding", f"{answered}."),
        unknown("API key", "only a run shows whether CLOUDCODING_API_KEY is good, and runs cost money."),
    ]


async def _status(examination: Examination, url: str, headers: dict[str, str]) -> int:
    """The answer's status; what says that there is no GET counts as such."""
    async with examination.session.get(
        url, headers=headers, allow_redirects=False, timeout=examination.timeout
    ) as response:
        if response.status == HTTPStatus.FORBIDDEN and _NO_SUCH_METHOD in await response.content.read(_PIECE):
            return HTTPStatus.METHOD_NOT_ALLOWED
        status: int = response.status
        return status
