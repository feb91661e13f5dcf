"""Files from and to the Hugging Face Hub, with an error of its own for every failure.

Reads the Hub's usual variables: HF_TOKEN for private and gated repositories, HF_ENDPOINT,
HF_HOME for the cache, HF_HUB_OFFLINE.
"""

import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from realitycheck import files
from realitycheck.errors import HubError, RealityCheckError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

log = logging.getLogger(__name__)

VARIABLE = "REALITYCHECK_MODEL"  # names the checkpoint where the caller names none
_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
# What `push` publishes under these names stays what it is, so a local copy needs no asking.
_PINNED = re.compile(r"[0-9a-f]{40}|v\d[\w.-]*")
CACHE_VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME")  # the first one counts
_PLANS = "Plans and storage are on hf.co/settings/billing."
_LATER = "Try again later"
TIMEOUT = 10  # seconds for the Hub to answer, before the local cache is used


def parse_id(text: str) -> tuple[str, str | None] | None:
    """Splits `owner/name[@revision]`; None if the text is no such id."""
    found = _ID.fullmatch(text)
    return (found["repo"], found["revision"]) if found else None


def download(
    repo: str,
    revision: str | None,
    first: str,
    others: Callable[[Path], Iterable[str]] = lambda _: (),
) -> tuple[Path, str]:
    """Fetches files of a model repository, or finds them in the local cache.

    A full commit or a version tag that is cached is used without asking the Hub. For anything
    else the Hub is asked, for at most 10 s; where it cannot be reached, or its cache here cannot
    be written, the newest copy that is whole in the cache serves, with a warning.

    Args:
        repo: "owner/name".
        revision: branch, tag or commit; None for the default branch.
        first: the file that is fetched first.
        others: from that file to the names of the others.

    Returns:
        The local directory that holds them, and its commit.

    Raises:
        HubError: the Hub refused, cannot be reached, or lacks repository, revision or file; or
            the cache cannot be written.
    """
    cached = _cached(repo, revision, first, others)
    if cached and revision and _PINNED.fullmatch(revision):
        return cached, cached.name
    try:
        commit = _ask_for(repo, revision)
        # By the commit, so that they belong together even if somebody publishes meanwhile, and
        # that the revision stands for the copy of before until the new one is whole.
        file = _fetch(repo, revision, first, commit)
        for name in others(file):
            _fetch(repo, revision, name, commit)
    except (_Unreachable, _Unwritable) as error:
        if cached is None:
            raise HubError(error.without_copy(_wanted(repo, revision))) from error
        log.warning(
            "%s: using the copy of %s in the local cache, commit %s.",
            error,
            _wanted(repo, revision),
            cached.name[:12],
        )
        return cached, cached.name
    if cached != file.parent and revision != file.parent.name:
        with suppress(HubError, _Unreachable, _Unwritable):  # it is only for the next time
            _fetch(repo, revision, first)  # the cache remembers what the revision stands for
    return file.parent, file.parent.name


class _Unreachable(Exception):
    """The Hub gave no answer, or none of its own."""

    def __init__(self, reason: str, advice: str = "Check the connection and try again") -> None:
        super().__init__(f"The Hub cannot be reached ({reason})")
        self.advice = advice

    def without_copy(self, wanted: str) -> str:
        return (
            f"{self} and {wanted} is not in the local cache. {self.advice}, or name a local "
            "checkpoint; with none named, the bundled one is used."
        )


class _BrokenOff(_Unreachable):
    """The client has gone on where a file broke off a few times before it gave up."""

    def __init__(self, name: str, wanted: str, reason: str) -> None:
        Exception.__init__(
            self, f"Downloading {name} of {wanted} broke off again and again ({reason})"
        )

    def without_copy(self, wanted: str) -> str:
        return f"{self}. Check the connection and try again; whole files are kept."


class _Unwritable(Exception):
    """The client cannot write to its cache."""

    def __init__(self, reason: str) -> None:
        from huggingface_hub import constants

        self.variable = next((name for name in CACHE_VARIABLES if os.environ.get(name)), "HF_HOME")
        super().__init__(
            f"The Hub's cache, {constants.HF_HUB_CACHE}, cannot be written because {reason}"
        )

    def without_copy(self, wanted: str) -> str:
        return (
            f"{self}, and {wanted} is not in it. Let the variable {self.variable} name a folder "
            "that can be written and has room, and try again."
        )


def _wanted(repo: str, revision: str | None) -> str:
    return f"{repo}@{revision}" if revision else repo


def _cached(
    repo: str, revision: str | None, first: str, others: Callable[[Path], Iterable[str]]
) -> Path | None:
    """The directory of a cached copy; None where there is none, or not all of it."""
    from huggingface_hub import try_to_load_from_cache

    def find(name: str) -> Path | None:
        found = try_to_load_from_cache(repo, name, revision=revision or "main")
        return Path(found) if isinstance(found, str) else None

    file = find(first)
    with suppress(RealityCheckError):  # a damaged first file names no others
        if file is not None and all(map(find, others(file))):
            return file.parent
    return None


def _ask_for(repo: str, revision: str | None) -> str | None:
    """Asks the Hub once for a revision's commit: downloads alone would retry for 23 s."""
    from huggingface_hub import HfApi, errors

    try:
        return HfApi().model_info(repo, revision=revision, timeout=TIMEOUT).sha or revision
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status == 429 or status >= 500:
            raise _Unreachable(f"it answered {status}: {_reason(error)}", _LATER) from error
        raise to_hub_error(error, repo, revision) from error
    except errors.OfflineModeIsEnabled as error:
        raise _Unreachable("HF_HUB_OFFLINE is set", "Unset HF_HUB_OFFLINE") from error
    except Exception as error:
        # Whatever the HTTP library raises: its name changes between versions of the client.
        raise _Unreachable(one_line(error)) from error


def _fetch(repo: str, revision: str | None, name: str, commit: str | None = None) -> Path:
    """Fetches a file of a revision, or of the commit that it stands for."""
    from huggingface_hub import errors, hf_hub_download

    try:
        wanted = commit or revision
        return Path(hf_hub_download(repo, name, revision=wanted, etag_timeout=TIMEOUT))
    except Exception as error:  # as in _ask_for
        refused = _refusal(error)
        if isinstance(refused, errors.EntryNotFoundError):
            raise HubError(
                f"{_wanted(repo, revision)} has no {name}: it is not a RealityCheck checkpoint. "
                "Check the name."
            ) from error
        if refused is not None:
            raise to_hub_error(refused, repo, revision) from error
        unwritable = _why_unwritable(error)
        if unwritable is not None:
            raise _Unwritable(unwritable) from error
        raise _BrokenOff(name, _wanted(repo, revision), one_line(error)) from error


def _refusal(error: BaseException | None) -> "HfHubHTTPError | None":
    """The Hub's own answer behind what the client raised: it hides some, in uploads above all."""
    from huggingface_hub import errors

    while error is not None and not isinstance(error, errors.HfHubHTTPError):
        error = error.__cause__ or error.__context__
    return error


def _why_unwritable(error: Exception) -> str | None:
    """Why the cache cannot be written; None if the error is about anything else."""
    from huggingface_hub import constants

    known = files.why_unwritable(error)
    if known is not None:
        return known[0]
    if not isinstance(error, OSError) or error.filename is None:
        return None
    if not Path(os.fsdecode(error.filename)).is_relative_to(constants.HF_HUB_CACHE):
        return None
    return f"the system says “{error.strerror}”"


def to_hub_error(
    error: "HfHubHTTPError", repo: str, revision: str | None = None, *, writing: bool = False
) -> HubError:
    """The Hub's refusal in its own words, with advice where that fits.

    Args:
        error: what the client raised.
        repo: "owner/name".
        revision: branch, tag or commit that was asked for.
        writing: whether something was to be changed on the Hub.
    """
    advice = _advice(error, repo, revision, writing)
    return HubError(f"The Hub says about {repo}: {_sentence(_reason(error))} {advice}".rstrip())


def _advice(error: "HfHubHTTPError", repo: str, revision: str | None, writing: bool) -> str:
    from huggingface_hub import errors

    status, reason = error.response.status_code, _reason(error)
    if isinstance(error, errors.GatedRepoError):
        if token() is None:
            return (
                "Whoever wants it must accept its terms: do so on its page, "
                f"{address(repo)}, then set HF_TOKEN to a token of yours."
            )
        asks = re.search("authorized list|ask for access", reason)
        return f"You must accept its terms on its page, {address(repo)}." if asks else ""
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repo} has no revision {revision!r}: check the name."
    # The client takes any 401 about a repository for a missing one; a token was refused too.
    if status == 401 and token():
        return (
            "It did not accept your token: make a new one at hf.co/settings/tokens and set "
            "HF_TOKEN to it."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"The Hub has no repository {repo}, or it is private: check the name, and for a "
            "private one set HF_TOKEN to a token that may see it."
        )
    if status == 402:
        return _PLANS
    if status in (401, 403):
        return _advice_on_rights(reason, writing)
    if status == 412:
        return "Somebody changed it meanwhile: try again."
    return f"{_LATER}." if status == 429 or status >= 500 else ""


def _advice_on_rights(reason: str, writing: bool) -> str:
    # Of storage, plans and payment no token can relieve.
    if re.search(r"storage|quota|limit|plan\b|upgrade|billing|payment|credit", reason, re.I):
        return _PLANS
    if writing:
        return "Set HF_TOKEN to a token that may write there."
    # What a token lacks for reading, the Hub says itself.
    return "" if token() else "Set HF_TOKEN to a token of yours."


def _reason(error: "HfHubHTTPError") -> str:
    """What the Hub itself says, in one line; its status where it says nothing."""
    said = " ".join((error.server_message or "").split())[:500]
    return said or f"HTTP {error.response.status_code}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def token() -> str | None:
    """The token that the Hub's client finds, if any."""
    from huggingface_hub import get_token

    return get_token()


def one_line(error: Exception) -> str:
    """An error's message as one line, cut short; its type's name where it says nothing."""
    return " ".join(str(error).split())[:300] or type(error).__name__


@contextmanager
def translate_errors(repo: str) -> Iterator[None]:
    """Turns what the Hub's client raises while something is published into `HubError`."""
    try:
        yield
    except HubError:
        raise
    except Exception as error:  # as in _ask_for
        refused = _refusal(error)
        if refused is not None and refused.response.status_code < 500:
            raise to_hub_error(refused, repo, writing=True) from error
        unwritable = None if refused is not None else files.why_unwritable(error)
        if unwritable is not None:
            raise HubError(
                f"Nothing was published: {tempfile.gettempdir()} cannot be written because "
                f"{unwritable[0]}. Let the variable TMPDIR name another folder, and try again."
            ) from error
        reason = one_line(error) if refused is None else _reason(refused)
        raise HubError(
            f"The Hub did not take {repo} ({reason}). What was there before is as it was: try "
            "again."
        ) from error


def address(repo: str, kind: str = "model") -> str:
    """The page of a repository on the Hub."""
    from huggingface_hub import HfApi

    folder = {"space": "spaces/", "dataset": "datasets/"}.get(kind, "")
    return f"{HfApi().endpoint}/{folder}{repo}"
