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

from realitycheck.errors import HubError

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


# --- down -----------------------------------------------------------------------------------


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
    return Path(found[0]).parent if all(isinstance(path, str) for path in found) else None


def _ask_for(repo: str, revision: str | None) -> None:
    """Asks the Hub once whether it has a revision: downloads alone would retry for 23 s."""
    from huggingface_hub import HfApi, errors

    try:
        HfApi().model_info(repo, revision=revision, timeout=TIMEOUT)
    except errors.HfHubHTTPError as error:
        if error.response.status_code == 429 or error.response.status_code >= 500:
            raise _Unreachable(f"it answered {error.response.status_code}") from error
        raise _refusal(error, repo, revision) from error
    except errors.OfflineModeIsEnabled as error:
        raise _Unreachable("HF_HUB_OFFLINE is set") from error
    except Exception as error:
        # Whatever the HTTP library raises: its name changes between versions of the client.
        raise _Unreachable(_short(error)) from error


def _fetch(repo: str, revision: str | None, name: str) -> Path:
    from huggingface_hub import errors, hf_hub_download

    try:
        return Path(hf_hub_download(repo, name, revision=revision, etag_timeout=TIMEOUT))
    except errors.EntryNotFoundError as error:
        # Also what a lost connection is called: then the file is missing in the cache.
        if isinstance(error, errors.LocalEntryNotFoundError):
            raise _cut(repo, revision, name, error) from error
        raise HubError(
            f"{_wanted(repo, revision)} has no {name}: it is not a RealityCheck checkpoint. Check "
            "the name."
        ) from error
    except errors.HfHubHTTPError as error:
        raise _refusal(error, repo, revision) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HubError(
                f"The disk is full: {name} of {repo} does not fit. Make room, or let HF_HOME name "
                "a folder on another disk, and try again."
            ) from error
        raise _cut(repo, revision, name, error) from error
    except Exception as error:  # as in _ask_for
        raise _cut(repo, revision, name, error) from error


def _cut(repo: str, revision: str | None, name: str, error: Exception) -> HubError:
    # The client has gone on where the file broke off a few times before it gave up.
    return HubError(
        f"Downloading {name} of {_wanted(repo, revision)} broke off again and again "
        f"({_short(error)}). Check the connection and try again; whole files are kept."
    )


def _refusal(error: Exception, repo: str, revision: str | None = None) -> HubError:
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
    if status == 401 and _token():
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
    return HubError(f"The Hub refused: {_short(error)}. Try again later.")


def _token() -> str | None:
    from huggingface_hub import get_token

    return get_token()


def _short(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


# --- up -------------------------------------------------------------------------------------


def create(repo: str, *, kind: str = "model", private: bool = False, **options: object) -> None:
    """Makes a repository, if it is not there yet.

    Args:
        repo: "owner/name".
        kind: "model" or "space".
        private: hide a new repository from others.
        options: further arguments of `HfApi.create_repo`.

    Raises:
        HubError: not allowed, or the Hub cannot be reached.
    """
    from huggingface_hub import HfApi

    if not _token():
        raise HubError(
            "Publishing needs a token that may write: make one at hf.co/settings/tokens and set "
            "HF_TOKEN to it."
        )
    with in_words(repo):
        HfApi().create_repo(repo, repo_type=kind, private=private, exist_ok=True, **options)


def upload(
    repo: str,
    files: dict[str, Path | bytes],
    message: str,
    *,
    kind: str = "model",
    replace: bool = False,
) -> str:
    """Puts files into a repository in one commit; none if nothing changed.

    The commit is all or nothing: after a failure the repository is as it was.

    Args:
        repo: "owner/name".
        files: name in the repository to a local file or content.
        message: of the commit.
        kind: "model" or "space".
        replace: delete every other file of the repository.

    Returns:
        The commit that now holds these files.

    Raises:
        HubError: not allowed, or the Hub cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi()
    # A file object would be closed by a retry; the client opens paths itself.
    operations = [
        CommitOperationAdd(name, source if isinstance(source, bytes) else str(source))
        for name, source in sorted(files.items())
    ]
    with in_words(repo):
        if replace:
            kept = {*files, ".gitattributes"}
            there = api.list_repo_files(repo, repo_type=kind)
            operations += [CommitOperationDelete(name) for name in there if name not in kept]
        return api.create_commit(repo, operations, commit_message=message, repo_type=kind).oid


def tags(repo: str) -> dict[str, str]:
    """A model repository's tags, each with its commit.

    Raises:
        HubError: as `upload`.
    """
    from huggingface_hub import HfApi

    with in_words(repo):
        return {ref.name: ref.target_commit for ref in HfApi().list_repo_refs(repo).tags}


def tag(repo: str, name: str, commit: str) -> None:
    """Names a commit of a model repository.

    Raises:
        HubError: as `upload`.
    """
    from huggingface_hub import HfApi

    with in_words(repo):
        HfApi().create_tag(repo, tag=name, revision=commit)


@contextmanager
def in_words(repo: str) -> Iterator[None]:
    """Turns what the Hub's client raises into `HubError`."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise _refusal(error, repo) from error
        raise _not_taken(repo, error) from error
    except Exception as error:  # as in _ask_for
        raise _not_taken(repo, error) from error


def _not_taken(repo: str, error: Exception) -> HubError:
    return HubError(
        f"The Hub did not take {repo} ({_short(error)}). What was there before is as it was: try "
        "again."
    )


def address(repo: str, kind: str = "model") -> str:
    """The page of a repository on the Hub."""
    from huggingface_hub import HfApi

    return f"{HfApi().endpoint}/{'spaces/' if kind == 'space' else ''}{repo}"
