"""What the page says to people, in each of LANGUAGES. Programs are answered in English.

A further language is a file in locales/ and one in inference/locales/, with the keys and places of en.json, and its name in
LANGUAGES.
"""

from pathlib import Path

from inference.sentences import LOCALES, IfadeError, read_sentences, written
from inference.types import EMOTIONS

LANGUAGES = {"en": "English", "tr": "Türkçe"}

TEXTS = read_sentences(LOCALES, Path(__file__).with_name("locales"))
"""By language and key: those of `inference` and the page's own. The page's scripts have all of its language."""


class PageError(IfadeError):
    """Something that the page has to tell a visitor, in a sentence of TEXTS."""

    sentences = TEXTS


def language_of(accepted: str | None) -> str:
    """The one of LANGUAGES that an Accept-Language header, or a browser's language, puts first; else English."""
    first = (accepted or "").strip()[:2].lower()
    return first if first in LANGUAGES else "en"


def texts(language: str, prefix: str = "") -> dict[str, str]:
    """All of TEXTS that begin with the prefix, in one language, by key."""
    return {key: words for key, words in TEXTS[language].items() if key.startswith(prefix)}


def emotion_names(language: str) -> dict[str, str]:
    """What each of EMOTIONS is called."""
    return {label: text(language, f"emotion_{label}") for label in EMOTIONS}


def text(language: str, key: str, **values) -> str:
    """One of TEXTS with its places filled."""
    return TEXTS[language][key].format(**values)


def percent(language: str, part: float, digits: int = 0) -> str:
    """A part of 1 as people write it: 87.3% or %87,3."""
    return text(language, "percent", number=number(language, 100 * part, digits))


def number(language: str, value: float, digits: int = 0) -> str:
    """A number with so many decimals, and the language's mark before them."""
    return written(value, TEXTS[language], f".{digits}f")
