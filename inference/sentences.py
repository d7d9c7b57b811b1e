"""What the package says to people, in each language of locales/*.json, and errors that are said so.

A further language is a further file there, with the keys and places of en.json.
"""

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Self

LOCALES = Path(__file__).with_name("locales")


def read_sentences(*folders: Path) -> dict[str, dict[str, str]]:
    """The sentences of LANGUAGE.json files by language and key, those of all folders together.

    {name} in a sentence is a place for a value, and {@key} stands for another sentence of the same language.
    """
    tables: dict[str, dict[str, str]] = {}
    for file in (file for folder in folders for file in sorted(folder.glob("*.json"))):
        tables.setdefault(file.stem, {}).update(json.loads(file.read_text("utf-8")))
    return {
        language: {key: re.sub(r"\{@(\w+)\}", lambda found: table[found[1]], words) for key, words in table.items()}
        for language, table in tables.items()
    }


SENTENCES = read_sentences(LOCALES)


def written(value: float, words: Mapping[str, str], form: str) -> str:
    """A number in a form of `format`, with the marks of a language of SENTENCES, `words`."""
    return f"{value:{form}}".translate(str.maketrans(".,", words["decimal_mark"] + words["group_mark"]))


class IfadeError(Exception):
    """Something that people are told: each error of this package that is about what somebody gave it.

    str(error) is the English sentence.

    Args:
        code: key of the sentence in `sentences`.
        values: for its places. Whole numbers are written in groups of three digits, others with one decimal at most, and errors
            as their own sentences.

    Attributes:
        sentences: by language and code.
    """

    sentences = SENTENCES

    def __init__(self, code: str, /, **values):
        super().__init__(code, values)
        self.code, self.values = code, values

    def sentence(self, language: str = "en") -> str:
        """What to tell a person; in English where the language is not there."""
        language = language if language in self.sentences else "en"
        words = self.sentences[language]

        def say(value: object) -> str:
            if isinstance(value, IfadeError):
                return value.sentence(language)
            if isinstance(value, int):
                return written(value, words, ",")
            if isinstance(value, float):
                return written(value, words, ",.0f" if round(value, 1).is_integer() else ",.1f")
            return str(value)

        return words[self.code].format_map({name: say(value) for name, value in self.values.items()})

    def __str__(self) -> str:
        return self.sentence()

    def to_dict(self) -> dict:
        """What `from_dict` makes it of again, for JSON."""
        values = {
            name: value.to_dict() if isinstance(value, IfadeError) else value for name, value in self.values.items()
        }
        return {"code": self.code, "values": values}

    @classmethod
    def from_dict(cls, told: dict) -> Self:
        """An error of this class."""
        values = {
            name: cls.from_dict(value) if isinstance(value, dict) else value for name, value in told["values"].items()
        }
        return cls(told["code"], **values)

    def __reduce__(self):  # for other processes
        return partial(type(self), self.code, **self.values), ()
