"""The answers as HTML: a summary line, and for each face a card with seven bars and the reasons for them.

Every function takes the language of `webui.texts` in which it speaks.
"""

from html import escape

from inference.saliency import heat_map
from inference.types import (
    ADULT,
    AGE_COVERAGE,
    COLUMNS_IN_CROWD,
    CROWD,
    EMOTIONS,
    GENDER_SURE,
    NOT_SURE,
    Analysis,
    Face,
)
from webui.photo import data_url
from webui.texts import number as written
from webui.texts import percent, text

WORDS = {"female": ("woman", "girl"), "male": ("man", "boy")}
"""The keys of the texts for an adult and a child of each of GENDERS."""


def summary(result: Analysis, language: str = "en") -> str:
    """What was found, which provider ran and how long it took."""
    count = len(result.faces)
    found = text(language, ("no_face", "one_face")[count] if count < 2 else "faces_found", count=count)
    timing = text(
        language,
        "timing",
        detection=round(result.detection_milliseconds),
        classification=round(result.classification_milliseconds),
        provider=escape(result.provider),
        width=result.width,
        height=result.height,
    )
    return message(f"<strong>{found}</strong> <span class='ifade-timing'>{timing}</span>")


def message(html: str) -> str:
    """What became of the photo; `html` must be escaped already."""
    return f"<p class='ifade-message'>{html}</p>"


def face_cards(faces: list[Face], language: str = "en", age_gender_metrics: dict | None = None) -> str:
    """One card a face, numbered as in the annotated photo, and below them what the bars and the years mean.

    Args:
        age_gender_metrics: the `metrics` of the estimator that told age and gender.
    """
    cards = "".join(_card(number, face, language) for number, face in enumerate(faces, 1))
    notes = [text(language, "two_answers")] * any(face.crowd is not None for face in faces)
    notes += [text(language, "unsure", limit=percent(language, NOT_SURE))] * any(not face.sure for face in faces)
    notes += [text(language, "issues_note")] * any(face.issues for face in faces)
    notes += [_apparent_note(held_ages(age_gender_metrics or {}), language)] * any(face.apparent for face in faces)
    return f"<div class='ifade-faces'>{cards}</div>" + "".join(f"<p class='ifade-note'>{note}</p>" for note in notes)


def held_ages(metrics: dict) -> dict[str, float]:
    """Of how many people the range of years held the age, 0 to 1 by data set, where the metrics of an estimator say it."""
    return {
        dataset: figures["all"]["coverage"]
        for dataset, figures in metrics.items()
        if "coverage" in figures.get("all", {})
    }


def _apparent_note(held: dict[str, float], language: str) -> str:
    """What apparent age and gender are; how often the range of years holds the age differs from one data set to the next."""
    note = text(language, "apparent_note", limit=percent(language, GENDER_SURE), aim=percent(language, AGE_COVERAGE))
    measured = [f"{percent(language, part)} ({escape(dataset)})" for dataset, part in held.items()]
    return f"{note} {text(language, 'apparent_measured', measured=', '.join(measured))}" if measured else note


def _card(number: int, face: Face, language: str) -> str:
    answer = _answer(face, language)
    bars = "".join(
        _bar(label, float(p), face.sure and label == face.shown, language) for label, p in zip(EMOTIONS, face.consensus)
    )
    height, width = face.crop.shape
    alt = escape(text(language, "crop_alt", number=number, width=width, height=height))
    return (
        f"<section class='ifade-face' aria-label='{text(language, 'face_answer', number=number, answer=answer)}'>"
        f"<figure><img src='{data_url(face.crop, 'png')}' alt='{alt}'>"
        f"<figcaption>{text(language, 'face', number=number)}"
        f"{'' if face.sure else f'<strong>{answer}</strong>'}</figcaption></figure>"
        f"<div class='ifade-bars'>{bars}</div>{_issues(face, language)}{_apparent(face, language)}{_reasons(number, face, language)}</section>"
    )


def _answer(face: Face, language: str) -> str:
    if face.sure:
        return text(language, f"emotion_{face.shown}")
    return text(language, "too_small_to_tell" if "too_small" in face.issues else "not_sure")


def _issues(face: Face, language: str) -> str:
    """What makes the answer much less often right, but for what the answer itself says."""
    words = [text(language, f"issue_{issue}") for issue in face.issues if face.sure or issue != "too_small"]
    return f"<p class='ifade-apparent'>{', '.join(words)}</p>" if words else ""


def _apparent(face: Face, language: str) -> str:
    """Like `Face.age_words` and `Face.gender_words`, in the visitor's language."""
    lines = []
    if face.age_distribution is not None:
        first, last = face.age_range
        years = str(first) if first == last else text(language, "years", first=first, last=last)
        lines.append(text(language, "apparent_age" if face.age_sure else "apparent_age_not_sure", years=years))
    if face.gender is not None and face.gender_sure:
        word = text(language, WORDS[face.apparent_gender][face.age is not None and face.age < ADULT])
        probability = written(language, float(face.gender.max()), 2)
        lines.append(text(language, "apparent_gender", word=word, probability=probability))
    elif face.gender is not None:
        lines.append(text(language, "apparent_gender_not_sure"))
    return f"<p class='ifade-apparent'>{'<br>'.join(lines)}</p>" if lines else ""


def _bar(label: str, probability: float, leading: bool, language: str) -> str:
    name, value = text(language, f"emotion_{label}"), percent(language, probability, 1)
    return (
        f"<div class='ifade-bar{' ifade-leading' if leading else ''}' role='meter' aria-label='{name}' "
        f"aria-valuemin='0' aria-valuemax='100' aria-valuenow='{probability * 100:.1f}' aria-valuetext='{value}'>"
        f"<span class='ifade-label'>{name}</span>"
        f"<span class='ifade-track'><span style='width:{probability * 100:.2f}%'></span></span>"
        f"<span class='ifade-percent'>{value}</span></div>"
    )


def _reasons(number: int, face: Face, language: str) -> str:
    """What the model gives beside the probabilities, folded away."""
    parts = []
    if face.activation is not None:
        picture = data_url(heat_map(face.crop, face.activation, EMOTIONS.index(face.shown)), "jpeg")
        emotion = text(language, f"emotion_{face.shown}")
        alt = escape(text(language, "heat_alt", number=number, emotion=emotion))
        caption = text(language, "heat_caption", emotion=emotion)
        parts.append(f"<figure><img src='{picture}' alt='{alt}'><figcaption>{caption}</figcaption></figure>")
    if face.crowd is not None:
        rows = [
            (label, percent(language, float(p), 1), percent(language, float(face.crowd[column]), 1))
            for label, p, column in zip(EMOTIONS, face.probabilities, COLUMNS_IN_CROWD)
        ]
        rows.append(("contempt", "–", percent(language, float(face.crowd[CROWD.index("contempt")]), 1)))
        cells = "".join(
            f"<tr><th scope='row'>{text(language, f'emotion_{label}')}</th><td>{first}</td><td>{second}</td></tr>"
            for label, first, second in rows
        )
        parts.append(
            "<table><thead><tr><td></td><th scope='col'>FER-2013</th>"
            f"<th scope='col'>{text(language, 'ten_people')}</th></tr></thead><tbody>{cells}</tbody></table>"
        )
    why = text(language, "why")
    return f"<details><summary>{why}</summary><div>{''.join(parts)}</div></details>" if parts else ""
