"""Files to the Hugging Face Hub, each change in one commit."""

from pathlib import Path

from realitycheck.errors import HubError
from realitycheck.hub import token, translate_errors


def create(repo: str, *, kind: str = "model", private: bool = False) -> None:
    """Makes a repository, if it is not there yet.

    Args:
        repo: "owner/name".
        kind: "model" or "space".
        private: hide a new repository from others.

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
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(name, source if isinstance(source, bytes) else str(source))
        for name, source in sorted(files.items())
    ]
    with translate_errors(repo):
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
