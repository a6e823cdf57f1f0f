"""Signed tokens: who a visitor or a logged-in operator is. One salt a purpose, a list of keys for rotation, a maximum age.

Must not know cookies, headers or the database. Signing and the constant-time check are itsdangerous'.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import want_bytes
from itsdangerous.signer import SigningAlgorithm

# A visitor who stays away longer starts anew.
VISITOR_MAX_AGE: Final = timedelta(days=365)

# An operator logs in once a shift.
OPERATOR_MAX_AGE: Final = timedelta(hours=12)

# Characters of the longest token that is looked at.
MAX_TOKEN: Final = 512

# Characters of a client_id that holds at least 122 random bits, as a UUID does.
UNGUESSABLE: Final = 32

_CREATE_SALT: Final = "pushdesk.create.v1"
_NETWORK_SALT: Final = "pushdesk.network.v1"
_VISITOR_SALT: Final = "pushdesk.visitor.v1"
_OPERATOR_SALT: Final = "pushdesk.operator-session.v1"
_HEX_32: Final = re.compile(r"[0-9a-f]{32}")


class Tokens:
    """Signs and reads the tokens of one desk. The first key signs, each of them is accepted."""

    def __init__(
        self,
        keys: Sequence[str],
        *,
        visitor_max_age: timedelta = VISITOR_MAX_AGE,
        operator_max_age: timedelta = OPERATOR_MAX_AGE,
    ) -> None:
        self._first_key = keys[0].encode()
        self._visitors = _Serializer(keys, _VISITOR_SALT)
        self._operators = _Serializer(keys, _OPERATOR_SALT)
        self.visitor_max_age = visitor_max_age
        self.operator_max_age = operator_max_age

    def sign_visitor(self, visitor_id: str) -> str:
        """The token that proves to be this visitor."""
        return _text(self._visitors.dumps(visitor_id))

    def read_visitor(self, token: str) -> str | None:
        """The visitor's id, or None for a token that is forged, too old or of another purpose."""
        return _read(self._visitors, token, self.visitor_max_age)

    def visitor_of_create(self, client_id: str | None) -> str:
        """The id of a new visitor. The same long client_id gives the same id: whoever lost the answer to their first request
        has no token yet, and must find the ticket that it made. A short one could be guessed, and means nothing here."""
        if client_id is None or len(client_id) < UNGUESSABLE:
            return secrets.token_hex(16)
        return hmac.digest(self._first_key, f"{_CREATE_SALT}:{client_id}".encode(), "sha256").hex()[:32]

    def hide_network(self, network: str) -> str:
        """A text that stands for a network of visitors: the same for the same one, and nothing that leads back to it."""
        return hmac.digest(self._first_key, f"{_NETWORK_SALT}:{network}".encode(), "sha256").hex()[:32]

    def sign_session(self, session_id: str) -> str:
        """The token of one operator's log-in."""
        return _text(self._operators.dumps(session_id))

    def read_session(self, token: str) -> str | None:
        """The session's id, or None for a token that is forged, too old or of another purpose."""
        return _read(self._operators, token, self.operator_max_age)


def new_session_id() -> str:
    """A secret random id for a new log-in: 32 hex characters."""
    return secrets.token_hex(16)


def session_hash(session_id: str) -> str:
    """What is stored of a session, so that a stolen database opens none."""
    return hashlib.sha256(session_id.encode()).hexdigest()


class _Algorithm(SigningAlgorithm):
    """HMAC-SHA-256 in one call; itsdangerous' own makes two objects for it."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        """The signature of `value`."""
        return hmac.digest(key, value, "sha256")


class _Signer(TimestampSigner):
    """Derives the keys of its purpose once, not for each token (bench/, scenario "desk")."""

    def __init__(self, keys: Sequence[str], salt: str) -> None:
        super().__init__(keys, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256, algorithm=_Algorithm())
        self._derived = {key: super(_Signer, self).derive_key(key) for key in self.secret_keys}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """The key of this purpose."""
        return self._derived[self.secret_key if secret_key is None else want_bytes(secret_key)]


class _Serializer(URLSafeTimedSerializer):
    """Has one signer, which knows all keys."""

    def __init__(self, keys: Sequence[str], salt: str) -> None:
        # itsdangerous signs with the last key of its list.
        newest_last = list(reversed(keys))
        super().__init__(newest_last, salt=salt)
        self._signer = _Signer(newest_last, salt)

    def make_signer(self, salt: str | bytes | None = None) -> TimestampSigner:
        """The one signer: a salt of the call's own is not used here."""
        return self._signer


def _read(serializer: _Serializer, token: str, max_age: timedelta) -> str | None:
    if len(token) > MAX_TOKEN or not token.isascii():
        return None
    try:
        value = serializer.loads(token, max_age=int(max_age.total_seconds()))
    except BadData:
        return None
    return value if isinstance(value, str) and _HEX_32.fullmatch(value) else None


def _text(token: str | bytes) -> str:
    return token if isinstance(token, str) else token.decode("ascii")
