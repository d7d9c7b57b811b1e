"""The visitor's language: the one that the page's address asks for (?lang=tr), or else the browser's."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from webui.texts import language_of


def request_language(headers: Mapping[str, str]) -> str:
    """The language of the page that sent a request: the one that its address, which browsers send as Referer, asks for, or
    else that of Accept-Language. What no page sent has the latter alone."""
    try:
        asked = parse_qs(urlsplit(headers.get("referer", "")).query).get("lang", [""])[-1]
    except ValueError:  # no address
        asked = ""
    return language_of(asked or headers.get("accept-language"))
