"""Publishes a checkpoint directory on the Hub."""

import json
import logging
from pathlib import Path

from realitycheck import checkpoints
from realitycheck.checkpoints import CARD
from realitycheck.config import CONFIG, Config
from realitycheck.errors import HubError
from realitycheck.publish import upload
from realitycheck.publish.merge import merge
from realitycheck.publish.upload import Contents

log = logging.getLogger(__name__)


def prepare(repo: str, private: bool = False, replace: bool = False) -> Contents:
    """Makes a repository for a checkpoint, or looks at what is there.

    Args:
        repo: "owner/name"; made if it is not there.
        private: hide a new repository from others.
        replace: accept one that holds something else.

    Raises:
        HubError: the Hub refused or cannot be reached, or the repository holds something that
            is no checkpoint of RealityCheck.
    """
    upload.create(repo, private=private)
    there = upload.contents(repo)
    others = set(there.files) - {CARD}
    if others and not replace and not _is_checkpoint(repo, there):
        raise HubError(
            f"{repo} holds something else, no RealityCheck checkpoint: {upload.listed(others)}. "
            "Name another repository, or add --replace to delete all of that and put the "
            "checkpoint in its place."
        )
    return there


def push(folder: str | Path, repo: str, private: bool = False, replace: bool = False) -> str:
    """Publishes a checkpoint directory on the Hub, in one commit tagged with its version.

    Sends config, tensors, record and model card, and what training left beside them: the `.pth`
    file and the curves. What was edited in the card on the Hub stays. Where nothing changed, no
    commit is made.

    Args:
        folder: a checkpoint directory, such as `Models/RealityCheck`.
        repo: "owner/name"; made if it is not there.
        private: hide a new repository from others.
        replace: delete all else that the repository holds, and its card.

    Returns:
        The commit.

    Raises:
        CheckpointError: the directory is no sound checkpoint.
        HubError: the Hub refused or cannot be reached, the repository holds something else, or
            the version was already published with other weights.
    """
    folder = Path(folder)
    checkpoint = checkpoints.load(folder)
    files = _files(folder, checkpoint.config)
    there = prepare(repo, private, replace)
    name = "v" + checkpoint.config.version
    tags = upload.tags(repo)
    if name in tags:
        _refuse_other_weights(repo, name, checkpoint.config)
    if CARD in files:
        ours = (folder / CARD).read_text(encoding="utf-8")
        files[CARD] = _card(ours, repo, Contents("", {}) if replace else there, tags).encode()
    commit = upload.upload(
        repo,
        files,
        f"Version {checkpoint.config.version}",
        delete=(set(there.files) if replace else _old_weights(repo, there)) - set(files),
        parent=there.commit,
    )
    if name not in tags:
        upload.tag(repo, name, commit)
    return commit


def _files(folder: Path, config: Config) -> dict[str, Path | bytes]:
    paths = [
        *(folder / name for name in (CONFIG, *config.weights, checkpoints.RECORD, CARD)),
        folder.with_suffix(".pth"),
        folder.parent / checkpoints.CURVES,
    ]
    return {path.name: path for path in paths if path.is_file()}


def _is_checkpoint(repo: str, there: Contents) -> bool:
    values = _config(repo, there)
    return "classes" in values and "ai_class" in values


def _config(repo: str, there: Contents) -> dict[str, object]:
    """The `config.json` of a repository, whoever wrote it; empty where there is none."""
    if CONFIG not in there.files:
        return {}
    try:
        values = json.loads(upload.read(repo, CONFIG, there.commit))
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _old_weights(repo: str, there: Contents) -> set[str]:
    """Weights files of the version that is there, some of which the next may lack."""
    digests = _config(repo, there).get("sha256")
    return set(there.files) & set(digests) if isinstance(digests, dict) else set()


def _card(ours: str, repo: str, there: Contents, tags: dict[str, str]) -> str:
    """Our card, with what was edited in the one on the Hub."""
    if CARD not in there.files:
        return merge(ours, None).text
    theirs = upload.read(repo, CARD, there.commit)
    written = tags.get(f"v{_config(repo, there).get('version')}")  # by us, marks or none
    base = upload.read(repo, CARD, written) if written else None
    merged = merge(ours, theirs, base)
    if merged.kept:
        log.warning(
            "In the card of %s this was edited on the Hub and stays as it is: %s. To have it "
            "written anew, delete %s there and push again.",
            repo,
            ", ".join(merged.kept),
            CARD,
        )
    return merged.text


def _refuse_other_weights(repo: str, tag: str, ours: Config) -> None:
    theirs = json.loads(upload.read(repo, CONFIG, tag)).get("sha256", {})
    if any(theirs.get(name) != ours.sha256[name] for name in ours.weights):
        raise HubError(
            f"{repo} already has a {tag}, with other weights, and somebody may rely on it. Give "
            f'these a version of their own ("version" in {CONFIG}, or train --version).'
        )
