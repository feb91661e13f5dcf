"""“This is wrong”: what a visitor says of an answer, and the picture if that is agreed to as well.

Nothing is kept without consent, nothing that tells who the visitor is, and of a picture nothing but
its pixels. See `feedback_box` for what lies on disk and `feedback_hub` for how it is sent.
"""

import hashlib
import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from realitycheck import hub
from realitycheck.errors import RealityCheckError
from realitycheck.files import check_writable, sha256, shipped, why_unwritable
from realitycheck.web.answer import Answer
from realitycheck.web.feedback_box import Box, Entry, FullError

if TYPE_CHECKING:
    from realitycheck.images.stripping import Stripped
    from realitycheck.web.feedback_hub import Sender

VARIABLE = "REALITYCHECK_FEEDBACK"  # names the dataset where the caller names none
REAL, AI, UNSURE = "real", "ai", "cannot say"
TRUTHS = (REAL, AI, UNSURE)
OWNER, EVERYBODY = "owner", "everybody"  # who can see the dataset, as a visitor is told
EACH, ALL, WINDOW = 20, 300, 3600  # pieces of a visitor and of all of them, in so many seconds
SHOWN = 16  # digits of a fingerprint that are enough to name it
log = logging.getLogger(__name__)


class Asked(Protocol):
    """What answers about a picture, such as `Service`."""

    def check(self, path: str) -> Answer: ...

    def stripped(self, path: str) -> "Stripped": ...


class Refused(Exception):
    """Nothing was kept; the message is for the visitor."""


class Feedback:
    """Takes what visitors say, and sends it to a dataset.

    Args:
        repo: "owner/name" of the dataset on the Hub.
        folder: where it waits, not one that is emptied at the end; None for a place beside what was
            downloaded from the Hub.
        every: minutes between commits; None for the usual.

    Raises:
        RealityCheckError: that is no name of a dataset, a token is missing, or the folder cannot be
            written.
    """

    def __init__(
        self, repo: str, folder: Path | None = None, *, every: float | None = None
    ) -> None:
        named = hub.parse_id(repo)
        if named is None or named[1] is not None:
            raise RealityCheckError(
                f"{repo!r} is no name of a dataset. Name it as owner/name, as --feedback or "
                f"{VARIABLE}."
            )
        if not hub.token():
            raise RealityCheckError(
                f"Keeping feedback in {repo} needs a token that may write there: make one at "
                "hf.co/settings/tokens and set HF_TOKEN to it."
            )
        self.repo, self._every = repo, every
        folder = folder or _usual_folder(repo)
        check_writable(folder)
        self.box = Box(folder)
        self._limit = Limit()
        self._sender: Sender | None = None

    def start(self) -> None:
        """Begins to send, in threads of its own: the Hub need not be there."""
        from realitycheck.web import feedback_hub

        self._sender = feedback_hub.Sender(self.repo, self.box, self._every or feedback_hub.EVERY)

    def close(self) -> None:
        """Sends what waits, if that can be done quickly; the rest is sent after the next start."""
        if self._sender is not None:
            self._sender.close()

    @property
    def visibility(self) -> str:
        """Of the dataset: "private", "public", or "unknown" before the Hub was reached."""
        return "unknown" if self._sender is None else self._sender.visibility

    @property
    def seen_by(self) -> str:
        """Who can see the dataset; everybody, where the Hub did not say."""
        return OWNER if self.visibility == "private" else EVERYBODY

    def take(
        self,
        asked: Asked,
        path: str,
        truth: Any,
        agreed: Any,
        visitor: str,
    ) -> Entry:
        """Keeps what a visitor says of the answer about a picture.

        The picture is examined again, so that the entry holds an answer that was given.

        Args:
            asked: examines it.
            path: of its file, which the visitor may use.
            truth: one of `TRUTHS`.
            agreed: list of what the visitor agreed to: the truth's being kept where `OWNER` or
                `EVERYBODY` can see it, and "picture".
            visitor: tells visitors apart; forgotten within the hour, and never written.

        Returns:
            What is kept.

        Raises:
            Refused: nothing was kept.
            PictureError: it cannot be examined.
        """
        if truth not in TRUTHS:
            raise Refused("Choose what the picture truly is, then send it.")
        consent = self._consent(agreed)
        digest = sha256(path)
        if digest in _examples():
            raise Refused("This is one of our examples, and we know what it is. Nothing was sent.")
        self._limit.check(visitor)
        report = asked.check(path).report
        # Without its truth a picture teaches nothing.
        given = "picture" in agreed and truth != UNSURE
        picture = asked.stripped(path) if given else None
        entry = _entry(truth, report, digest, consent, picture)
        try:
            new = self.box.keep(entry, picture)
        except OSError as error:
            raise _unkept(error) from error
        if not new:
            raise Refused("The same was said of this picture before, and it is kept once.")
        return entry

    def _consent(self, agreed: Any) -> str:
        """Who may see it, as the visitor agreed."""
        agreed = agreed if isinstance(agreed, list) else []
        if EVERYBODY in agreed:
            return EVERYBODY
        if OWNER not in agreed:
            raise Refused("Nothing was sent: it needs your consent, the first box.")
        if self.seen_by != OWNER:
            raise Refused(
                "Nothing was sent: everybody can see the dataset now. Close this part, open it "
                "again, and read who can see it."
            )
        return OWNER


class Limit:
    """How much may come from a visitor, and from all of them, in an hour.

    Args:
        each: pieces of a visitor.
        everybody: pieces of all together, since an address can be made up.
        clock: seconds.
    """

    def __init__(
        self,
        each: int = EACH,
        everybody: int = ALL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._each, self._all, self._clock = each, everybody, clock
        self._salt = secrets.token_bytes(16)  # so that no address lies in memory
        self._recent: deque[tuple[float, bytes]] = deque()
        self._lock = threading.Lock()

    def check(self, visitor: str) -> None:
        """Counts one piece.

        Raises:
            Refused: it is one too many.
        """
        mark = hashlib.blake2b(visitor.encode(), key=self._salt, digest_size=16).digest()
        now = self._clock()
        with self._lock:
            while self._recent and now - self._recent[0][0] >= WINDOW:
                self._recent.popleft()
            if sum(other == mark for _, other in self._recent) >= self._each:
                raise Refused(
                    f"Nothing was sent: {self._each} in an hour is the most from one visitor. Come "
                    "back later."
                )
            if len(self._recent) >= self._all:
                raise Refused("Nothing was sent: too much came within the hour. Try again later.")
            self._recent.append((now, mark))


def _entry(
    truth: str, report: dict[str, Any], digest: str, seen_by: str, picture: "Stripped | None"
) -> Entry:
    model = report["model"]
    kept = {name: model.get(name) for name in ("source", "version", "sha256", "engine")}
    if kept["source"] != "bundled" and hub.parse_id(str(kept["source"])) is None:
        kept["source"] = "local"  # a path tells of the machine
    named = None
    if picture is not None:
        named = f"{truth}/{digest}{picture.suffix}"
    return Entry(
        truth=truth,
        verdict=report["verdict"],
        probability=report["probabilities"][model["ai_class"]],
        model=kept,
        date=datetime.now(UTC).date().isoformat(),
        sha256=digest,
        seen_by=seen_by,
        picture=named,
        picture_is=None if picture is None else picture.how,
    )


def _unkept(error: OSError) -> Refused:
    log.warning("Feedback could not be kept: %s", error)
    if isinstance(error, FullError):
        return Refused(
            "Nothing was kept: too much waits to be sent. Try again tomorrow, or tell whoever runs "
            "this page."
        )
    reason, _ = why_unwritable(error) or ("its disk refused", "")
    return Refused(
        f"Nothing was kept: the server could not write it because {reason}. Tell whoever runs this "
        "page."
    )


@cache
def _examples() -> frozenset[str]:
    return frozenset(sha256(path) for path in shipped("examples").iterdir() if path.is_file())


def _usual_folder(repo: str) -> Path:
    import huggingface_hub

    return huggingface_hub.cached_assets_path("realitycheck", "feedback", repo)


def from_environment(named: str | None) -> Feedback | None:
    """Feedback to the dataset that the caller or `REALITYCHECK_FEEDBACK` names; None for none.

    Args:
        named: by the caller.

    Raises:
        RealityCheckError: see `Feedback`.
    """
    repo = named or os.environ.get(VARIABLE, "")
    return Feedback(repo) if repo else None
