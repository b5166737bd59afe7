"""The device's language, by RFC 4647 lookup."""

from dataclasses import fields

import pytest

from gateway.payloads.words import WORDS, Words, words


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("de-AT", "de"),
        ("DE-at", "de"),
        ("de_CH", "de"),
        ("es-419", "es"),
        ("fr-CA-x-phone", "fr"),
        ("zh-Hans-CN", "zh"),
        ("zh-TW", "zh"),
        ("zh-x-private", "zh"),
        ("pt-BR", "en"),
        ("deu", "en"),
        ("x-de", "en"),
        ("*", "en"),
        ("", "en"),
        ("-", "en"),
        ("\ud800-de", "en"),
        ("-" * 4000, "en"),
    ],
)
def test_the_nearest_language_is_spoken_and_english_otherwise(locale: str, language: str) -> None:
    assert words(locale) is WORDS[language]


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("entry", [field.name for field in fields(Words)])
def test_every_language_has_every_string(language: str, entry: str) -> None:
    assert getattr(WORDS[language], entry).strip()


@pytest.mark.parametrize("language", WORDS)
def test_every_language_names_who_answered(language: str) -> None:
    assert "1002" in WORDS[language].answered_by.format(who="1002")
    assert "{" not in WORDS[language].answered_by.format(who="1002")
