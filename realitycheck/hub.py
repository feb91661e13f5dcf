"""Files from and to the Hugging Face Hub, with an error of its own for every failure.

Reads the Hub's usual variables: HF_TOKEN for private and gated repositories, HF_ENDPOINT,
HF_HOME for the cache, HF_HUB_OFFLINE.
"""

import errno
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from realitycheck.errors import HubError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

log = logging.getLogger(__name__)

VARIABLE = "REALITYCHECK_MODEL"  # names the checkpoint where the caller names none
_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
# What `push` publishes under these names stays what it is, so a local copy needs no asking.
_PINNED = re.compile(r"[0-9a-f]{40}|v\d[\w.-]*")
TIMEOUT = 10  # seconds for the Hub to answer, before the local cache is used


def parse_id(text: str) -> tuple[str, str | None] | None:
    """Splits `owner/name[@revision]`; None if the text is no such id."""
    found = _ID.fullmatch(text)
    return (found["repo"], found["revision"]) if found else None


def download(repo: str, revision: str | None, names: Iterable[str]) -> tuple[Path, str]:
    """Fetches files of a model repository, or finds them in the local cache.

    A full commit or a version tag that is cached is used without asking the Hub. For anything
    else the Hub is asked, for at most 10 s; where it cannot be reached, the newest cached copy
    serves, with a warning.

    Args:
        repo: "owner/name".
        revision: branch, tag or commit; None for the default branch.
        names: the files.

    Returns:
        The local directory that holds them, and its commit.

    Raises:
        HubError: the Hub refused, cannot be reached, or lacks repository, revision or file.
    """
    names = list(names)
    if revision and _PINNED.fullmatch(revision):
        folder = _cached(repo, revision, names)
        if folder:
            return folder, folder.name
    try:
        _ask_for(repo, revision)
    except _Unreachable as error:
        folder = _cached(repo, revision, names)
        if folder is None:
            raise HubError(
                f"The Hub cannot be reached ({error}) and {_wanted(repo, revision)} is not in the "
                "local cache. Check the connection and try again, or name a local checkpoint; "
                "with none named, the bundled one is used."
            ) from error
        log.warning(
            "The Hub cannot be reached (%s): using the copy of %s in the local cache, commit %s.",
            error,
            _wanted(repo, revision),
            folder.name[:12],
        )
        return folder, folder.name
    # The first file by its revision, which the cache remembers; all others by its commit, so
    # that they belong together even if somebody publishes meanwhile.
    folder = _fetch(repo, revision, names[0]).parent
    for name in names[1:]:
        _fetch(repo, folder.name, name)
    return folder, folder.name


class _Unreachable(Exception):
    """The Hub gave no answer, or none of its own."""


def _wanted(repo: str, revision: str | None) -> str:
    return f"{repo}@{revision}" if revision else repo


def _cached(repo: str, revision: str | None, names: list[str]) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repo, name, revision=revision or "main") for name in names]
    paths = [path for path in found if isinstance(path, str)]
    return Path(paths[0]).parent if len(paths) == len(names) else None


def _ask_for(repo: str, revision: str | None) -> None:
    """Asks the Hub once whether it has a revision: downloads alone would retry for 23 s."""
    from huggingface_hub import HfApi, errors

    try:
        HfApi().model_info(repo, revision=revision, timeout=TIMEOUT)
    except errors.HfHubHTTPError as error:
        if error.response.status_code == 429 or error.response.status_code >= 500:
            raise _Unreachable(f"it answered {error.response.status_code}") from error
        raise to_hub_error(error, repo, revision) from error
    except errors.OfflineModeIsEnabled as error:
        raise _Unreachable("HF_HUB_OFFLINE is set") from error
    except Exception as error:
        # Whatever the HTTP library raises: its name changes between versions of the client.
        raise _Unreachable(first_line(error)) from error


def _fetch(repo: str, revision: str | None, name: str) -> Path:
    from huggingface_hub import errors, hf_hub_download

    try:
        return Path(hf_hub_download(repo, name, revision=revision, etag_timeout=TIMEOUT))
    except errors.EntryNotFoundError as error:
        # Also what a lost connection is called: then the file is missing in the cache.
        if isinstance(error, errors.LocalEntryNotFoundError):
            raise _interrupted(repo, revision, name, error) from error
        raise HubError(
            f"{_wanted(repo, revision)} has no {name}: it is not a RealityCheck checkpoint. Check "
            "the name."
        ) from error
    except errors.HfHubHTTPError as error:
        raise to_hub_error(error, repo, revision) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HubError(
                f"The disk is full: {name} of {repo} does not fit. Make room, or let HF_HOME name "
                "a folder on another disk, and try again."
            ) from error
        raise _interrupted(repo, revision, name, error) from error
    except Exception as error:  # as in _ask_for
        raise _interrupted(repo, revision, name, error) from error


def _interrupted(repo: str, revision: str | None, name: str, error: Exception) -> HubError:
    # The client has gone on where the file broke off a few times before it gave up.
    return HubError(
        f"Downloading {name} of {_wanted(repo, revision)} broke off again and again "
        f"({first_line(error)}). Check the connection and try again; whole files are kept."
    )


def to_hub_error(error: "HfHubHTTPError", repo: str, revision: str | None = None) -> HubError:
    """The Hub's answer to a request about a repository, in words."""
    from huggingface_hub import errors

    status = error.response.status_code
    if isinstance(error, errors.GatedRepoError):
        return HubError(
            f"{repo} asks visitors to accept its terms: do so on its Hub page, then set HF_TOKEN to"
            " a token of yours."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return HubError(f"{repo} has no revision {revision!r}. Check the name.")
    # The client takes any 401 about a repository for a missing one; a token was refused too.
    if status == 401 and token():
        return HubError(
            "The Hub did not accept your token. Make a new one at hf.co/settings/tokens and set "
            "HF_TOKEN to it."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return HubError(
            f"The Hub has no repository {repo}, or it is private: check the name, and for a private"
            " one set HF_TOKEN."
        )
    if status in (401, 403):
        return HubError(
            f"The Hub did not allow this for {repo}: set HF_TOKEN to a token that may write there."
        )
    return HubError(f"The Hub refused: {first_line(error)}. Try again later.")


def token() -> str | None:
    """The token that the Hub's client finds, if any."""
    from huggingface_hub import get_token

    return get_token()


def first_line(error: Exception) -> str:
    """The first line of an error's message, cut short; its type's name where it says nothing."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


@contextmanager
def translate_errors(repo: str) -> Iterator[None]:
    """Turns what the Hub's client raises into `HubError`."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise to_hub_error(error, repo) from error
        raise _upload_failed(repo, error) from error
    except Exception as error:  # as in _ask_for
        raise _upload_failed(repo, error) from error


def _upload_failed(repo: str, error: Exception) -> HubError:
    return HubError(
        f"The Hub did not take {repo} ({first_line(error)}). What was there before is as it was: "
        "try again."
    )


def address(repo: str, kind: str = "model") -> str:
    """The page of a repository on the Hub."""
    from huggingface_hub import HfApi

    return f"{HfApi().endpoint}/{'spaces/' if kind == 'space' else ''}{repo}"
