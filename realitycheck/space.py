"""Publishes the demo as a Hugging Face Space.

python -m realitycheck.space publish OWNER/SPACE --model OWNER/NAME[@REV]
"""

import argparse
import ast
import sys
import time
from collections.abc import Callable
from pathlib import Path

from realitycheck import hub
from realitycheck.errors import HubError, exit_status

ROOT = Path(__file__).parent.parent
PACKAGE = Path(__file__).parent
CARD = "README.md"
POLL = 5  # seconds between looks at a starting Space
PATIENCE = 30 * 60  # seconds: installing torch alone takes minutes
FAILED = ("BUILD_ERROR", "CONFIG_ERROR", "RUNTIME_ERROR", "NO_APP_FILE", "DELETING")
IDLE = ("PAUSED", "STOPPED", "SLEEPING")


def files(model: str | None) -> dict[str, Path | bytes]:
    """What a Space needs: name in the Space to a local file or content.

    The app with the modules it imports and what the page loads, requirements, examples and the
    Space's card; the bundled weights only where no model is named.

    Args:
        model: "owner/name[@revision]"; None for the bundled weights.
    """
    chosen = [ROOT / "app.py", ROOT / "requirements.txt", ROOT / "LICENSE"]
    chosen += sorted(_modules(ROOT / "app.py"))
    chosen += sorted(p for p in PACKAGE.iterdir() if p.suffix in (".css", ".js"))
    chosen += sorted(p for p in (ROOT / "examples").iterdir() if p.suffix != ".py" and p.is_file())
    if model is None:
        chosen += sorted((PACKAGE / "weights").iterdir())
    named: dict[str, Path | bytes] = {p.relative_to(ROOT).as_posix(): p for p in chosen}
    return named | {CARD: _card(model).encode()}


def _modules(start: Path) -> set[Path]:
    """The package's modules that a file imports, at its top or in a function, and theirs."""
    found, waiting = {PACKAGE / "__init__.py"}, [start, PACKAGE / "__init__.py"]
    while waiting:
        for name in _imported(waiting.pop()):
            path = PACKAGE / f"{name}.py"
            if path.is_file() and path not in found:
                found.add(path)
                waiting.append(path)
    return found


def _imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    inner = PACKAGE.name + "."
    return {name.removeprefix(inner).split(".")[0] for name in names if name.startswith(inner)}


def _card(model: str | None) -> str:
    """The README's metadata, with the model named, over a few words."""
    from huggingface_hub import RepoCard

    card = RepoCard.load(ROOT / CARD)
    if model:
        card.data["models"] = [hub.parse_id(model)[0]]
    return (
        f"---\n{card.data.to_yaml()}\n---\n# RealityCheck\n\n"
        "Is this picture a photograph or made by a person, or was it made by an AI? The answer is "
        "a probability, not proof.\n"
    )


def publish(
    space: str,
    model: str | None = None,
    *,
    private: bool = False,
    hardware: str | None = None,
    patience: float = PATIENCE,
    say: Callable[[str], None] = print,
) -> str:
    """Creates or updates a Space and waits until it runs.

    Args:
        space: "owner/name".
        model: "owner/name[@revision]" it shall answer with; None for the bundled weights.
        private: hide a new Space from others.
        hardware: such as "cpu-basic" or "t4-small"; None leaves what it has.
        patience: seconds to wait until it runs.
        say: told about progress.

    Returns:
        The Space's address.

    Raises:
        HubError: refused or unreachable; or the Space failed to build or to start.
    """
    from huggingface_hub import HfApi

    if model is not None and hub.parse_id(model) is None:
        raise HubError(f"{model!r} is no Hub model. Name it as owner/name or owner/name@revision.")
    hub.create(space, kind="space", private=private, space_sdk="gradio")
    api = HfApi()
    # Before the files: their commit restarts the Space, which then finds its settings.
    with hub.in_words(space):
        if model:
            api.add_space_variable(space, hub.VARIABLE, model)
        elif hub.VARIABLE in api.get_space_variables(space):
            api.delete_space_variable(space, hub.VARIABLE)
        if hardware:
            api.request_space_hardware(space, hardware)
    sent = files(model)
    commit = hub.upload(space, sent, "Publish RealityCheck", kind="space", replace=True)
    url = hub.address(space, "space")
    say(f"{url} has its files.")
    _wait(space, commit, patience, say)
    return url


def _wait(space: str, commit: str, patience: float, say: Callable[[str], None]) -> None:
    from huggingface_hub import HfApi

    deadline, last = time.monotonic() + patience, None
    while True:
        with hub.in_words(space):
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


def main(arguments: list[str] | None = None) -> int:
    """The command `python -m realitycheck.space`; returns the exit status."""
    p = argparse.ArgumentParser(prog="python -m realitycheck.space")
    commands = p.add_subparsers(required=True, metavar="COMMAND")
    publishing = commands.add_parser("publish", help="create or update a Space with the demo")
    publishing.add_argument("space", metavar="OWNER/SPACE")
    publishing.add_argument(
        "--model", metavar="OWNER/NAME[@REV]", help="to answer with (default: bundled weights)"
    )
    publishing.add_argument("--private", action="store_true", help="hide a new Space from others")
    publishing.add_argument("--hardware", help="such as cpu-basic or t4-small")
    publishing.add_argument("--dry-run", action="store_true", help="only list the files")
    args = p.parse_args(arguments)
    return exit_status(lambda: _publish_and_tell(args))


def _publish_and_tell(args: argparse.Namespace) -> None:
    if args.dry_run:
        print("\n".join(sorted(files(args.model))))
        return
    url = publish(args.space, args.model, private=args.private, hardware=args.hardware)
    print(f"{url} is running.")


if __name__ == "__main__":
    sys.exit(main())
