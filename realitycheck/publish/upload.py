"""Files to the Hugging Face Hub, each change in one commit."""

import logging
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from realitycheck.errors import HubError
from realitycheck.hub import address, token, translate_errors

log = logging.getLogger(__name__)


def create(repo: str, *, kind: str = "model", private: bool = False) -> None:
    """Makes a repository, if it is not there yet.

    Args:
        repo: "owner/name".
        kind: "model" or "space".
        private: hide a new repository from others. One that is public stays so, which is said.

    Raises:
        HubError: not allowed, or the Hub cannot be reached.
    """
    from huggingface_hub import HfApi

    if not token():
        raise HubError(
            "Publishing needs a token that may write: make one at hf.co/settings/tokens and set "
            "HF_TOKEN to it."
        )
    with translate_errors(repo):
        HfApi().create_repo(
            repo,
            repo_type=kind,
            private=private,
            exist_ok=True,
            space_sdk="gradio" if kind == "space" else None,
        )
        public = private and not HfApi().repo_info(repo, repo_type=kind).private
    if public:
        log.warning(
            "%s is public already and stays so: --private hides only a new one. Hide it at "
            "%s/settings.",
            repo,
            address(repo, kind),
        )


@dataclass(frozen=True)
class Contents:
    """What a repository holds.

    Attributes:
        commit: its newest.
        files: name to the id of its git object, "" for large files, which git holds a pointer of;
            the Hub's own `.gitattributes` is left out.
    """

    commit: str
    files: dict[str, str]


def contents(repo: str, kind: str = "model") -> Contents:
    """Looks what a repository holds.

    Raises:
        HubError: not allowed, or the Hub cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi()
    with translate_errors(repo):
        commit = api.repo_info(repo, repo_type=kind).sha or ""
        tree = api.list_repo_tree(repo, recursive=True, revision=commit, repo_type=kind)
        found = {
            entry.path: "" if entry.lfs else entry.blob_id
            for entry in tree
            if isinstance(entry, RepoFile)
        }
    return Contents(commit, {k: v for k, v in found.items() if k != ".gitattributes"})


def read(repo: str, name: str, commit: str, kind: str = "model") -> str:
    """The text of a file that a commit holds, past the cache: that may not be writable.

    Raises:
        HubError: as `contents`.
    """
    from huggingface_hub import hf_hub_download

    with translate_errors(repo), tempfile.TemporaryDirectory() as folder:
        path = hf_hub_download(repo, name, revision=commit, repo_type=kind, local_dir=folder)
        return Path(path).read_text(encoding="utf-8", errors="replace")


def listed(names: Iterable[str], most: int = 4) -> str:
    """The first few names in a sentence, and how many more there are."""
    names = sorted(names, key=lambda name: (name.count("/"), name))
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def upload(
    repo: str,
    files: dict[str, Path | bytes],
    message: str,
    *,
    kind: str = "model",
    delete: Iterable[str] = (),
    parent: str | None = None,
) -> str:
    """Puts files into a repository in one commit; none if nothing changed.

    The commit is all or nothing: after a failure the repository is as it was.

    Args:
        repo: "owner/name".
        files: name in the repository to a local file or content.
        message: of the commit.
        kind: "model" or "space".
        delete: files of the repository to delete.
        parent: commit that this one shall follow; refused if there is a newer one.

    Returns:
        The commit that now holds these files.

    Raises:
        HubError: not allowed, or the Hub cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    # A file object would be closed by a retry; the client opens paths itself.
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(name, source if isinstance(source, bytes) else str(source))
        for name, source in sorted(files.items())
    ]
    operations += [CommitOperationDelete(name) for name in sorted(delete)]
    with translate_errors(repo):
        return (
            HfApi()
            .create_commit(
                repo, operations, commit_message=message, repo_type=kind, parent_commit=parent
            )
            .oid
        )


def tags(repo: str) -> dict[str, str]:
    """A model repository's tags, each with its commit.

    Raises:
        HubError: as `upload`.
    """
    from huggingface_hub import HfApi

    with translate_errors(repo):
        return {ref.name: ref.target_commit for ref in HfApi().list_repo_refs(repo).tags}


def tag(repo: str, name: str, commit: str) -> None:
    """Names a commit of a model repository.

    Raises:
        HubError: as `upload`.
    """
    from huggingface_hub import HfApi

    with translate_errors(repo):
        HfApi().create_tag(repo, tag=name, revision=commit)
