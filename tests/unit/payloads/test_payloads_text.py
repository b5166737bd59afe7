"""Text from outside: cleaned, cut and masked before a phone shows it."""

import unicodedata

import pytest

from gateway.payloads import text

FAMILY = "👨\u200d👩\u200d👧\u200d👦"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Alice", "Alice"),
        ("", ""),
        ("  Alice \t\r\n Smith  ", "Alice Smith"),
        ("Al\x00ice\x07\x1b[31m\x7f", "Alice[31m"),
        ("Müller\u0085\u2028GmbH\u00a0Co", "Müller GmbH Co"),
        ("\u202eecilA\u202c \u2066x\u2069\u200f\u061c", "ecilA x"),
        ("zero\u200bwidth\ufeff\u00adsoft", "zerowidthsoft"),
        ("half \ud800 a \udfff pair", "half a pair"),
        ("Jose\u0301", "José"),
        (f"Fam {FAMILY} ❤\ufe0f", f"Fam {FAMILY} ❤\ufe0f"),
        ("\u200d\ufe0f \u202e", ""),
        (" \t\n", ""),
        ("  ", ""),
        ('"quoted" \\ </script>', '"quoted" \\ </script>'),
        ("שלום", "שלום"),
    ],
)
def test_clean_leaves_one_line_that_hides_and_reorders_nothing(given: str, shown: str) -> None:
    assert text.clean(given) == shown


def test_a_pile_of_combining_marks_is_cut_to_thirty() -> None:
    assert len(text.clean("x" + "\u0316" * 4000)) == 31


def test_cleaning_is_linear_in_hostile_marks() -> None:
    """Half a million marks in the order that costs normalisation most: the test would not end if it were quadratic."""
    assert unicodedata.is_normalized("NFC", text.clean("x" + "\u0301\u0316" * 250_000))


@pytest.mark.parametrize(
    ("given", "graphemes", "shown"),
    [
        ("Alice", 5, "Alice"),
        ("Alice", 4, "Ali…"),
        ("Ali ce", 5, "Ali…"),
        ("Alice", 1, ""),
        ("Alice", 0, ""),
        ("", 0, ""),
        (FAMILY * 3, 3, FAMILY * 3),
        (FAMILY * 3, 2, FAMILY + "…"),
        ("🇩🇪🇫🇷🇪🇸", 2, "🇩🇪…"),
        ("e\u0323\u0302xyz", 4, "e\u0323\u0302xyz"),
    ],
)
def test_a_text_is_cut_between_graphemes_with_an_ellipsis(given: str, graphemes: int, shown: str) -> None:
    assert text.cut(given, max_graphemes=graphemes) == shown


@pytest.mark.parametrize(
    ("given", "size", "shown"),
    [
        ("Alice", 5, "Alice"),
        ("Alice", 4, "A…"),
        ("Alice", 3, ""),
        ("Alice", -1, ""),
        ("éééé", 8, "éééé"),
        ("éééé", 7, "éé…"),
        ("éééé", 6, "é…"),
        (FAMILY * 2, 50, FAMILY * 2),
        (FAMILY * 2, 49, FAMILY + "…"),
        (FAMILY * 2, 27, ""),
    ],
)
def test_a_text_is_cut_to_bytes_without_tearing_a_grapheme(given: str, size: int, shown: str) -> None:
    assert text.cut(given, max_bytes=size) == shown


def test_both_limits_hold_at_once() -> None:
    assert text.cut("éééééé", max_graphemes=5, max_bytes=9) == "ééé…"
    assert text.cut("éééééé", max_graphemes=3, max_bytes=9) == "éé…"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+4915112345678", "••••78"),
        ("+49 (151) 123-45", "••••45"),
        ("1001", "••••01"),
        ("42", "••••42"),
        ("7", "••••7"),
        ("١٢٣٤", "••••٣٤"),
        ("sip:1001@pbx9.example.com", "••••19"),
        ("anonymous", ""),
        ("", ""),
    ],
)
def test_a_masked_number_shows_two_digits_and_not_its_length(number: str, shown: str) -> None:
    assert text.masked(number) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Alice", "Alice"),
        ("+4915112345678", "••••78"),
        ("Alice +49 (151) 123-456-78 mobile", "Alice ••••78 mobile"),
        ("Extension 1002", "Extension ••••02"),
        ("4.9.1.5.1", "••••51"),
        ("Route 66", "Route 66"),
        ("12a345b67", "12a••••45b67"),
        ("", ""),
    ],
)
def test_a_number_in_a_name_is_masked_too(name: str, shown: str) -> None:
    assert text.masked_name(name) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""),
        (-1, ""),
        (0, "0:00"),
        (12, "0:12"),
        (60, "1:00"),
        (754, "12:34"),
        (3600, "1:00:00"),
        (3723, "1:02:03"),
        (359_999, "99:59:59"),
        (360_000, ""),
        (10**40, ""),
    ],
)
def test_a_duration_reads_as_on_a_clock(seconds: int | None, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("identifier", "carried"),
    [
        ("1713151497.32", "1713151497.32"),
        ("Ä-7\u202e", "Ä-7\u202e"),
        ("a\ud800b", "a\ufffdb"),
    ],
)
def test_an_id_stays_as_it_is_but_for_what_utf8_cannot_carry(identifier: str, carried: str) -> None:
    assert text.encodable(identifier) == carried
