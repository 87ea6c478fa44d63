"""Sessions that the browser keeps, signed so that nobody can make one up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass

import orjson
from tracker.domain.clock import Clock

COOKIE = "tracker_session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who signed in; `expires_at` in Unix seconds, `token` proves that a request comes from our own page."""

    session_id: str
    who: str
    expires_at: float
    token: str


class Sessions:
    """Makes and reads session cookies; those that were signed out are refused until they expire."""

    def __init__(self, secret: str | None, password: str | None, hours: float, clock: Clock) -> None:
        """Sign with `secret`, else with one of this start; another password ends every session."""
        seed = secret.encode() if secret else secrets.token_bytes(32)
        self._key = hmac.digest(seed, b"sessions of the page\0" + (password or "").encode(), hashlib.sha256)
        self._seconds = hours * 3600
        self._clock = clock
        self._ended: dict[str, float] = {}

    @property
    def seconds(self) -> int:
        """How long a session lasts."""
        return int(self._seconds)

    def begin(self, who: str) -> tuple[str, Session]:
        """Return the cookie of a new session, and the session."""
        session_id, expires_at = secrets.token_urlsafe(18), self._now() + self._seconds
        payload = base64.urlsafe_b64encode(orjson.dumps([session_id, who, expires_at])).decode()
        return f"{payload}.{self._sign('cookie', payload)}", self._session(session_id, who, expires_at)

    def read(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None where it is none of ours, has expired or was ended."""
        payload, _, signature = cookie.rpartition(".")
        if not payload or not hmac.compare_digest(signature.encode(), self._sign("cookie", payload).encode()):
            return None
        try:
            session_id, who, expires_at = orjson.loads(base64.urlsafe_b64decode(payload))
        except (ValueError, TypeError, binascii.Error):
            return None
        if expires_at <= self._now() or session_id in self._ended:
            return None
        return self._session(session_id, who, expires_at)

    def end(self, session: Session) -> None:
        """Refuse a session from now on."""
        now = self._now()
        self._ended = {each: until for each, until in self._ended.items() if until > now}
        self._ended[session.session_id] = session.expires_at

    def _session(self, session_id: str, who: str, expires_at: float) -> Session:
        token = self._sign("token", session_id)
        return Session(session_id=session_id, who=who, expires_at=expires_at, token=token)

    def _sign(self, purpose: str, text: str) -> str:
        digest = hmac.digest(self._key, f"{purpose}\0{text}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _now(self) -> float:
        return self._clock.now().timestamp()


def same_token(session: Session, given: str) -> bool:
    """Tell whether a request knows the session's token, in a time that tells nothing."""
    return hmac.compare_digest(session.token.encode(), given.encode())
