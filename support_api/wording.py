"""What the system says in a conversation, in the words of the site: for clients that print a message's `content` and know
no codes. Pages of our own write the same by the code, in their reader's language.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from support_api.models.messages import Notice, NoticeCode, Wording

# The name of a visitor who gave none.
DEFAULT_VISITOR_NAME: Final = "Гость"

# A name may run from right to left: isolated, it does not turn the sentence around.
_TEXTS: Mapping[str, Mapping[NoticeCode, str]] = MappingProxyType(
    {
        "en": {
            NoticeCode.TRANSFERRED: "\u2068{operator_name}\u2069 has taken over this chat.",
            NoticeCode.RETURNED: "This chat is waiting for another operator.",
            NoticeCode.REOPENED: "This chat was opened again.",
            NoticeCode.STILL_THERE: "Are you still there?",
            NoticeCode.CLOSED_IN_SILENCE: "There was no answer, so this chat was closed.",
        },
        "ru": {
            NoticeCode.TRANSFERRED: "Этот чат продолжает \u2068{operator_name}\u2069.",
            NoticeCode.RETURNED: "Этот чат ждёт другого оператора.",
            NoticeCode.REOPENED: "Этот чат открыт снова.",
            NoticeCode.STILL_THERE: "Вы ещё здесь?",
            NoticeCode.CLOSED_IN_SILENCE: "Ответа не было, поэтому чат закрыт.",
        },
    }
)

# What a site may speak.
LANGUAGES: Final = tuple(_TEXTS)


def wording(language: str) -> Wording:
    """How a site with one of `LANGUAGES` says things."""
    texts = _TEXTS[language]

    def say(notice: Notice) -> str:
        return texts[notice.code].format(**notice.params)

    return say
