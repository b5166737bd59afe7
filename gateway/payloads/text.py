"""Text from outside made fit to be shown: cleaned, cut where a reader would cut, masked where the tenant asks."""

import unicodedata

import regex

from gateway.payloads.words import Words, words

__all__ = ["ELLIPSIS", "MASK", "Words", "clean", "cut", "duration", "encodable", "masked", "masked_name", "words"]

ELLIPSIS = "…"
MASK = "••••"
"""Stands for everything before a number's last two digits, however many those are: the length is hidden too."""

_UNSHOWABLE = regex.compile(r"(?V1)[\p{Cc}\p{Cf}\p{Cs}--[\u200d\s]]+")
"""Control and format characters (all bidi controls are of these) and lone surrogates, but ZWJ; variation selectors are
marks (Mn) and stay. Whitespace controls go when whitespace is collapsed."""
_PILE = regex.compile(r"(\p{M}{30})\p{M}+")
"""More marks on one letter than any language writes (Unicode annex 15, stream-safe text). They would also cost the
normalisation the square of their number."""
_INK = regex.compile(r"[\p{L}\p{N}\p{P}\p{S}\p{Co}\p{Cn}]")
_GRAPHEME = regex.compile(r"\X")
_SURROGATE = regex.compile(r"\p{Cs}")
_DIGIT = regex.compile(r"\p{N}")
_NUMBER_IN_NAME = regex.compile(r"[+(]{0,3}\p{N}(?:[^\p{L}\p{N}]*\p{N}){2,}")
"""Three or more digits with no letter between them: `+49 (151) 123-45`, `1001`."""

_LONGEST_DURATION = 359_999
"""99:59:59. What claims to be longer is no length of a message."""


def clean(text: str) -> str:
    """`text` as one line without anything that hides, reorders or breaks it, in NFC.

    Control, format and bidi characters and lone surrogates are removed, except ZWJ and variation selectors, which emoji
    are made of; runs of whitespace become one space; of more than 30 combining marks in a row the first 30 stay. Empty
    when nothing visible is left.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    line = " ".join(_UNSHOWABLE.sub("", text).split())
    kept = unicodedata.normalize("NFC", _PILE.sub(r"\1", line))
    return kept if _INK.search(kept) else ""


def cut(text: str, *, max_graphemes: int | None = None, max_bytes: int | None = None) -> str:
    """`text` within both limits (bytes of UTF-8), cut between grapheme clusters, with an ellipsis inside the limits.

    Empty when not even one cluster and the ellipsis fit. `text` must be free of lone surrogates (`clean`).
    """
    graphemes_left = len(text) if max_graphemes is None else max_graphemes
    bytes_left = 4 * len(text) if max_bytes is None else max_bytes
    if len(text) <= graphemes_left and len(text.encode()) <= bytes_left:
        return text
    return _cut(text, graphemes_left, bytes_left)


def _cut(text: str, graphemes_left: int, bytes_left: int) -> str:
    ellipsis_bytes = len(ELLIPSIS.encode())
    end = 0
    for cluster in _GRAPHEME.finditer(text):
        graphemes_left -= 1
        bytes_left -= len(cluster.group().encode())
        if graphemes_left < 0 or bytes_left < 0:
            break
        if graphemes_left >= 1 and bytes_left >= ellipsis_bytes:
            end = cluster.end()
    else:
        return text
    kept = text[:end].rstrip()
    return kept + ELLIPSIS if kept else ""


def masked(number: str) -> str:
    """The number's last two digits behind the mask: `+4915112345678` becomes `••••78`, `1001` becomes `••••01`.

    Empty without any digit: `anonymous` and `sip:alice@example.com` would say more than two digits may.
    """
    digits = "".join(_DIGIT.findall(number))
    return MASK + digits[-2:] if digits else ""


def masked_name(name: str) -> str:
    """The name with every number in it masked: a PBX without a phone book repeats the number as the name.

    A number is three or more digits with no letter between them; `Route 66` stays.
    """
    shown: str = _NUMBER_IN_NAME.sub(lambda found: masked(found.group()), name)
    return shown


def duration(seconds: int | None) -> str:
    """`0:12`, `1:02:03`; empty when not known or not believable (negative, over 99:59:59)."""
    if seconds is None or not 0 <= seconds <= _LONGEST_DURATION:
        return ""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def encodable(identifier: str) -> str:
    """An id as UTF-8 can carry it: lone surrogates become U+FFFD, all else stays as it is."""
    if identifier.isascii():
        return identifier
    shown: str = _SURROGATE.sub("\ufffd", identifier)
    return shown
