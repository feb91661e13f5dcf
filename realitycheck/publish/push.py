"""Publishes a checkpoint directory on the Hub."""

from pathlib import Path

from realitycheck import checkpoints, hub
from realitycheck.config import CONFIG, Config, read_config
from realitycheck.errors import HubError
from realitycheck.publish import upload


def push(folder: str | Path, repo: str, private: bool = False) -> str:
    """Publishes a checkpoint directory on the Hub, in one commit tagged with its version.

    Sends config, tensors and model card, and what training left beside them: the `.pth` file
    and the curves. Where nothing changed, no commit is made.

    Args:
        folder: a checkpoint directory, such as `Models/RealityCheck`.
        repo: "owner/name"; made if it is not there.
        private: hide a new repository from others.

    Returns:
        The commit.

    Raises:
        CheckpointError: the directory is no sound checkpoint.
        HubError: the Hub refused or cannot be reached, or the version was already published
            with other weights.
    """
    folder = Path(folder)
    checkpoint = checkpoints.load(folder)
    weights = [name for member in checkpoint.config.members for name in member.files]
    names = [CONFIG, *weights, checkpoints.RECORD, checkpoints.CARD]
    paths = [
        *(folder / name for name in names),
        folder.with_suffix(".pth"),
        folder.parent / checkpoints.CURVES,
    ]
    files: dict[str, Path | bytes] = {path.name: path for path in paths if path.is_file()}
    upload.create(repo, private=private)
    name = "v" + checkpoint.config.version
    published = upload.tags(repo)
    if name in published:
        _refuse_other_weights(repo, name, checkpoint.config)
    commit = upload.upload(repo, files, f"Version {checkpoint.config.version}")
    if name not in published:
        upload.tag(repo, name, commit)
    return commit


def _refuse_other_weights(repo: str, tag: str, ours: Config) -> None:
    folder, _ = hub.download(repo, tag, [CONFIG])
    theirs, _ = read_config((folder / CONFIG).read_text(encoding="utf-8"))
    files = [name for member in ours.members for name in member.files]
    if any(theirs.sha256.get(name) != ours.sha256[name] for name in files):
        raise HubError(
            f"{repo} already has a {tag}, with other weights, and somebody may rely on it. Give "
            f'these a version of their own ("version" in {CONFIG}, or train --version).'
        )
