"""The strings that a phone shows, in the languages that the gateway speaks."""

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Every string of one language. `{who}` stands for the extension that took the call."""

    missed_call: str
    new_voicemail: str
    call_answered: str
    answered_by: str
    incoming_call: str
    new_notification: str
    unknown_caller: str
    test_notification: str


DEFAULT_LANGUAGE = "en"

WORDS = {
    "en": Words(
        missed_call="Missed call",
        new_voicemail="New voicemail",
        call_answered="Call answered",
        answered_by="Answered by {who}",
        incoming_call="Incoming call",
        new_notification="New notification",
        unknown_caller="Unknown caller",
        test_notification="Test notification",
    ),
    "de": Words(
        missed_call="Verpasster Anruf",
        new_voicemail="Neue Sprachnachricht",
        call_answered="Anruf angenommen",
        answered_by="Angenommen von {who}",
        incoming_call="Eingehender Anruf",
        new_notification="Neue Benachrichtigung",
        unknown_caller="Unbekannter Anrufer",
        test_notification="Testbenachrichtigung",
    ),
    "es": Words(
        missed_call="Llamada perdida",
        new_voicemail="Nuevo mensaje de voz",
        call_answered="Llamada atendida",
        answered_by="Atendida por {who}",
        incoming_call="Llamada entrante",
        new_notification="Nueva notificación",
        unknown_caller="Número desconocido",
        test_notification="Notificación de prueba",
    ),
    "fr": Words(
        missed_call="Appel manqué",
        new_voicemail="Nouveau message vocal",
        call_answered="Appel pris",
        answered_by="Pris par {who}",
        incoming_call="Appel entrant",
        new_notification="Nouvelle notification",
        unknown_caller="Appelant inconnu",
        test_notification="Notification de test",
    ),
    "zh": Words(
        missed_call="未接来电",
        new_voicemail="新语音留言",
        call_answered="来电已接听",
        answered_by="由 {who} 接听",
        incoming_call="来电",
        new_notification="新通知",
        unknown_caller="未知来电",
        test_notification="测试通知",
    ),
}
"""By language range, lower case."""

_LONGEST_TAG = 64


@lru_cache(maxsize=512)
def words(locale: str) -> Words:
    """The words for a BCP 47 tag by RFC 4647 lookup: subtags fall away from the end until a language is spoken here.

    `de-AT` is German, `zh-Hans-CN` Chinese; `pt-BR`, `*`, an empty or a malformed tag English. `_` counts as `-`
    (Java and POSIX write it), case does not count.
    """
    tag = locale[:_LONGEST_TAG].replace("_", "-").lower()
    while tag:
        if tag in WORDS:
            return WORDS[tag]
        tag = _without_last_subtag(tag)
    return WORDS[DEFAULT_LANGUAGE]


def _without_last_subtag(tag: str) -> str:
    """RFC 4647 section 3.4: a single letter or digit left at the end (`zh-x`, `de-u`) falls away with it."""
    head = tag.rpartition("-")[0]
    return head[:-2] if head[-2:-1] == "-" else head
