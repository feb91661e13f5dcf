"""Publishes the demo as a Hugging Face Space."""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from realitycheck import hub
from realitycheck.errors import HubError
from realitycheck.files import shipped
from realitycheck.publish import upload
from realitycheck.publish.merge import merge
from realitycheck.publish.upload import Contents

if TYPE_CHECKING:
    from huggingface_hub import SpaceHardware

log = logging.getLogger(__name__)

PACKAGE = Path(__file__).parents[1]
CARD = "README.md"
MANIFEST = ".realitycheck.json"  # in a Space: which of its files are ours
# Of the card's metadata, what the app needs.
FORCED: tuple[str, ...] = ("sdk", "sdk_version", "python_version", "app_file")
TEMPLATE = "Check out the configuration reference at https://huggingface.co/docs/hub/spaces"
TOP = ("app.py", "requirements.txt", "LICENSE")
# Rooms of the package that the page never enters, and what is no part of it.
LEFT_OUT = {"training", "evaluation", "data", "publish", "shipped", "__pycache__", "make.py"}
# What version 4 put into a Space, without a manifest, and later versions did not.
VERSION_4 = tuple(
    f"realitycheck/{name}"
    for name in (
        *(f"weights/{name}" for name in ("README.md", "config.json", "model.safetensors")),
        *("card.py", "content_credentials.py", "demo.py", "doubts.py", "explain.py", "images.py"),
        *("leave_out.py", "model.py", "page.css", "page.js", "page.py", "provenance.py"),
        *("report.py", "residuals.py", "rows.py", "service.py", "views.py"),
    )
)
POLL = 5  # seconds between looks at a starting Space
PATIENCE = 30 * 60  # seconds: installing torch alone takes minutes
FAILED = ("BUILD_ERROR", "CONFIG_ERROR", "RUNTIME_ERROR", "NO_APP_FILE", "DELETING")
IDLE = ("PAUSED", "STOPPED", "SLEEPING")


def files(model: str | None) -> dict[str, Path | bytes]:
    """What a Space needs: name in the Space to a local file or content.

    The app, the rooms of the package that the page enters, requirements, examples and the Space's
    card; the bundled weights only where no model is named.

    Args:
        model: "owner/name[@revision]"; None for the bundled weights.
    """
    named: dict[str, Path | bytes] = {name: shipped(name) for name in TOP}
    for folder in (PACKAGE, shipped("examples")):
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            hidden = any(part.startswith(".") for part in inside.parts)
            if path.is_file() and not hidden and not LEFT_OUT & set(inside.parts):
                named[f"{folder.name}/{inside.as_posix()}"] = path
    if model is not None:
        named = {k: v for k, v in named.items() if not k.startswith("realitycheck/weights/")}
    named[CARD] = _card(model).encode()
    ids = {name: _git_id(source) for name, source in named.items()}
    return named | {MANIFEST: (json.dumps(ids, indent=1) + "\n").encode()}


def _git_id(source: Path | bytes) -> str:
    """The id that git gives to a file of this content."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _card(model: str | None) -> str:
    """The Space's own README: the Hub's metadata over a few words."""
    from huggingface_hub import SpaceCardData

    lines = shipped("requirements.txt").read_text(encoding="utf-8").splitlines()
    gradio = next(line for line in lines if line.startswith("gradio>="))
    data = SpaceCardData(
        title="RealityCheck",
        sdk="gradio",
        sdk_version=f"{gradio.removeprefix('gradio>=').partition(',')[0]}.0",
        python_version="3.11",
        app_file="app.py",
        license="apache-2.0",
        models=None if model is None else [model.partition("@")[0]],
        short_description="Is it a photograph, or was it made by an AI?",
    )
    return (
        f"---\n{data.to_yaml()}\n---\n# RealityCheck\n\n"
        "Is this picture a photograph or made by a person, or was it made by an AI? The answer is "
        "a probability, not proof.\n"
    )


def publish(
    space: str,
    model: str | None = None,
    *,
    private: bool = False,
    hardware: str | None = None,
    replace: bool = False,
    patience: float = PATIENCE,
    say: Callable[[str], None] = log.info,
) -> str:
    """Creates or updates a Space and waits until it runs.

    Files of the Space that are not ours stay, and so does what was edited in its card.

    Args:
        space: "owner/name".
        model: "owner/name[@revision]" it shall answer with; None for the bundled weights.
        private: hide a new Space from others.
        hardware: such as "cpu-basic" or "t4-small"; None leaves what it has.
        replace: delete all else that the Space holds, and its card.
        patience: seconds to wait until it runs.
        say: told about progress.

    Returns:
        The Space's address.

    Raises:
        HubError: refused or unreachable; the Space is something else; or it failed to build or
            to start.
    """
    if model is not None and hub.parse_id(model) is None:
        raise HubError(f"{model!r} is no Hub model. Name it as owner/name or owner/name@revision.")
    upload.create(space, kind="space", private=private)
    there = upload.contents(space, "space")
    previous = _previous(space, there)
    if previous is None and not replace:
        raise HubError(
            f"{space} is another Space, not RealityCheck: it holds "
            f"{upload.listed(set(there.files) - {CARD})}. Name another one, or add --replace to "
            "delete all of that and put the demo in its place."
        )
    _set_up(space, model, hardware)
    sent = files(model)
    known = Contents("", {}) if replace else there
    sent[CARD] = _merged_card(space, known, _card(model).encode())
    _tell_edited(space, known, previous or {}, sent)
    old = set(there.files) if replace else set(there.files) & set(previous or ())
    commit = upload.upload(
        space,
        sent,
        "Publish RealityCheck",
        kind="space",
        delete=old - set(sent),
        parent=there.commit,
    )
    url = hub.address(space, "space")
    say(f"{url} has its files.")
    _wait(space, commit, patience, say)
    return url


def _previous(space: str, there: Contents) -> dict[str, str] | None:
    """The files that we put into a Space, with their ids; None where it is something else."""
    if set(there.files) <= {CARD}:
        return {}
    if MANIFEST in there.files:
        try:
            values = json.loads(upload.read(space, MANIFEST, there.commit, "space"))
            return {str(name): str(value) for name, value in values.items()}
        except (ValueError, AttributeError):
            return {}
    ours = {"app.py", "realitycheck/__init__.py"} <= set(there.files)
    return dict.fromkeys(VERSION_4, "") if ours else None


def _set_up(space: str, model: str | None, hardware: str | None) -> None:
    # Before the files: their commit restarts the Space, which then finds its settings.
    from huggingface_hub import HfApi

    api = HfApi()
    with hub.translate_errors(space):
        if model:
            api.add_space_variable(space, hub.VARIABLE, model)
        elif hub.VARIABLE in api.get_space_variables(space):
            api.delete_space_variable(space, hub.VARIABLE)
        if hardware:
            api.request_space_hardware(space, cast("SpaceHardware", hardware))


def _merged_card(space: str, there: Contents, ours: bytes) -> bytes:
    theirs, forced = None, FORCED
    if CARD in there.files:
        theirs, template, _ = upload.read(space, CARD, there.commit, "space").partition(TEMPLATE)
        if template:  # what the Hub itself wrote into a new Space
            forced = (*FORCED, "title")
    merged = merge(ours.decode(), theirs, forced=forced)
    if merged.kept:
        log.warning(
            "In the card of %s this was edited on the Hub and stays as it is: %s.",
            space,
            ", ".join(merged.kept),
        )
    return merged.text.encode()


def _tell_edited(
    space: str, there: Contents, previous: dict[str, str], sent: dict[str, Path | bytes]
) -> None:
    """Says which files are replaced although we did not write them as they are there."""
    if MANIFEST not in there.files:
        return
    edited = [
        name
        for name, source in sent.items()
        if there.files.get(name)
        and name not in (CARD, MANIFEST)
        and there.files[name] not in (previous.get(name), _git_id(source))
    ]
    if edited:
        log.warning(
            "Of %s this was edited and is replaced: %s. It is still in commit %s.",
            space,
            upload.listed(edited),
            there.commit[:12],
        )


def _wait(space: str, commit: str, patience: float, say: Callable[[str], None]) -> None:
    from huggingface_hub import HfApi

    deadline, last = time.monotonic() + patience, None
    while True:
        with hub.translate_errors(space):
            runtime = HfApi().get_space_runtime(space)
        stage = str(runtime.stage)
        if stage != last:
            say(f"{stage.lower().replace('_', ' ')} ...")
            last = stage
        # While it builds, the old version runs on; where the Hub says which one, wait for ours.
        if stage == "RUNNING" and runtime.raw.get("sha", commit) == commit:
            return
        if stage in FAILED:
            raise HubError(f"The Space failed: {stage}. Its log ends:\n{_log_end(space, stage)}")
        if stage in IDLE:
            raise HubError(f"The Space is {stage.lower()}. Start it on its page, and try again.")
        if time.monotonic() > deadline:
            raise HubError(
                f"The Space is still {stage.lower()} after {patience / 60:.0f} minutes. Its log: "
                f"{hub.address(space, 'space')}?logs=build"
            )
        time.sleep(POLL)


def _log_end(space: str, stage: str) -> str:
    from huggingface_hub import HfApi

    try:
        lines = list(HfApi().fetch_space_logs(space, build=stage != "RUNTIME_ERROR"))
    except Exception:  # an older client has no such call; the log is a help, not the answer
        return f"{hub.address(space, 'space')}?logs=build"
    return "".join(lines[-30:])
