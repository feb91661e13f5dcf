"""The container's recipe: its commands are the README's, and they lead to a demo that answers.

Its steps run without a container runtime: in a root of their own, an overlay over this machine's.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from helpers import ROOT, free_port, serve


def instructions() -> list[tuple[str, str]]:
    """Every instruction of the Dockerfile: its word and the rest."""
    text = (ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in whole.splitlines() if line.strip()]


def values(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in values("ENV") for pair in shlex.split(rest))


def health() -> list[str]:
    (rest,) = values("HEALTHCHECK")
    return json.loads(rest[rest.index("[") :])


def context() -> list[str]:
    """The files of this checkout that a build gets to see."""
    known = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    return [name for name in known if not ignored(name, patterns)]


def ignored(name: str, patterns: list[str]) -> bool:
    """As Docker reads .dockerignore: the last pattern that fits a file or its folder counts."""
    names = [name, *map(str, Path(name).parents)][:-1]
    found = False
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        deep = bare.removeprefix("**/")
        if any(
            fnmatch.fnmatch(part, bare) or (deep != bare and fnmatch.fnmatch(Path(part).name, deep))
            for part in names
        ):
            found = not pattern.startswith("!")
    return found


def test_its_commands_are_the_readmes():
    readme = (ROOT / "README.md").read_text()
    command = re.search(r"<!-- demo command -->\n```bash\n(.+)\n```", readme)[1]
    *steps, start = command.split(" && ")
    run = values("RUN")
    assert [step for step in run if step in steps] == steps
    assert json.loads(values("CMD")[0]) == start.split()
    # Whoever gives an index gets the pair from there, before anything else asks for it.
    pair = next(step for step in run if "TORCH_INDEX" in step)
    assert "torch torchvision --index-url" in pair
    assert run.index(pair) < run.index(steps[-1])
    assert values("ARG") == ["TORCH_INDEX="]


def test_it_runs_as_nobody_in_particular_and_says_where_it_is():
    words = [name for name, _ in instructions()]
    assert values("FROM")[0].endswith("-slim")
    assert int(values("USER")[0]) > 0
    assert words.index("USER") > max(i for i, word in enumerate(words) if word == "RUN")
    chosen = environment()
    assert values("EXPOSE") == [chosen["GRADIO_SERVER_PORT"]] == ["7860"]
    assert chosen["GRADIO_SERVER_NAME"] == "0.0.0.0"
    assert json.loads(values("VOLUME")[0]) == [chosen["HF_HOME"], chosen["GRADIO_TEMP_DIR"]]
    assert "/healthz" in health()[-1]


def test_a_build_sees_what_the_demo_needs_and_nothing_else():
    seen = context()
    assert {"app.py", "requirements.txt", "LICENSE", "examples/examples.json"} <= set(seen)
    assert "realitycheck/weights/config.json" in seen
    assert "realitycheck/web/static/page.css" in seen
    outside = ("tests", "docs", "benchmarks", ".git", ".ci", "README.md", "Dockerfile")
    assert not [name for name in seen if name.startswith(outside) or "__pycache__" in name]
    assert ignored(
        "realitycheck/web/__pycache__/page.pyc", ["*", "!realitycheck", "**/__pycache__"]
    )
    assert not ignored("app.py", ["*", "!app.py"])


# --- its steps, run ----------------------------------------------------------------------------

ENTER = """set -eu
mount -t overlay overlay -o lowerdir=/,upperdir={up},workdir={work} {root}
mkdir -p {root}/base
mount --bind {packages} {root}/base
mount -t proc proc {root}/proc
mount --rbind /dev {root}/dev
chmod o+x {folders}
exec chroot {root} /usr/bin/env -i PATH={programs}:/usr/bin:/bin:/usr/sbin:/sbin \
PYTHONPATH=/base PIP_NO_INDEX=1 sh -eu {steps}
"""


def can_enter(folder: Path) -> bool:
    made = [folder / name for name in ("a", "b", "c")]
    for path in made:
        path.mkdir(parents=True)
    up, work, root = made
    mount = f"mount -t overlay o -o lowerdir=/,upperdir={up},workdir={work} {root} && chroot {root}"
    return not subprocess.run(["unshare", "-m", "sh", "-c", f"{mount} true"]).returncode


def steps(folder: Path, port: int) -> str:
    """A script of what a build and a start do, in order, from COPY to CMD."""
    lines = []
    place, user = "/", "0"
    for word, rest in instructions():
        if word == "WORKDIR":
            place = rest
            lines.append(f"rm -rf {place}; mkdir -p {place}; cd {place}")
        elif word in ("ENV", "ARG"):
            lines.append(f"export {rest}")
        elif word == "COPY":
            *sources, target = rest.split()
            lines += [f"cp -R {folder}/{source} {target}" for source in sources]
        elif word == "RUN":
            lines.append(rest)
        elif word == "USER":
            user = rest
    command = shlex.join(json.loads(values("CMD")[0]))
    home = f'HOME="$(getent passwd {user} | cut -d: -f6)"'
    lines.append(f"export {home} GRADIO_SERVER_PORT={port}")
    lines.append(f"cd {place}; exec setpriv --reuid {user} --regid {user} --clear-groups {command}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def container(tmp_path):
    """The recipe, followed and started: its process, its port, what it wrote."""
    if os.geteuid() or not shutil.which("unshare") or not can_enter(tmp_path / "probe"):
        pytest.skip("needs to be root, and to be allowed to mount an overlay")
    seen = tmp_path / "context"
    for name in context():
        (seen / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, seen / name)
    up, work, root = (tmp_path / name for name in ("up", "work", "root"))
    for path in (up, work, root):
        path.mkdir()
    port = free_port()
    (tmp_path / "steps.sh").write_text(steps(seen, port))
    programs = Path(os.path.realpath(sys.executable)).parent
    folders = [f"{root}{folder}" for folder in (programs, *programs.parents)]
    enter = ENTER.format(
        up=up,
        work=work,
        root=root,
        # The packages it depends on are this environment's: installing torch again takes minutes.
        packages=next(path for path in sys.path if path.endswith("site-packages")),
        folders=shlex.join(folders),
        programs=programs,
        steps=tmp_path / "steps.sh",
    )
    command = ["unshare", "-m", "--pid", "--fork", "--kill-child", "sh", "-c", enter]
    with serve(command, port, tmp_path) as process:
        yield process, port, up


def inside(process: subprocess.Popen) -> str:
    """Process id of the demo itself: the child of `unshare`, which became it."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return children.read_text().split()[0]


@pytest.mark.slow
def test_its_steps_lead_to_a_demo_that_answers(container):
    process, port, written = container
    user = int(values("USER")[0])
    status = Path(f"/proc/{inside(process)}/status").read_text()
    assert re.search(rf"^Uid:\s+{user}\s+{user}\s+{user}", status, re.MULTILINE)
    client = Client(f"http://127.0.0.1:{port}", verbose=False)
    *_, report = client.predict(handle_file(ROOT / "examples" / "cat.jpg"), api_name="/predict")
    assert report["verdict"] in ("ai", "real", "uncertain")
    uploads = written / environment()["GRADIO_TEMP_DIR"].lstrip("/")
    (kept,) = uploads.rglob("cat.jpg")
    assert kept.stat().st_uid == user
    # Nothing was written beside what is meant for it.
    own = [path for path in written.rglob("*") if path.lstat().st_uid == user]
    assert {path.relative_to(written).parts[0] for path in own} <= {"data", "home", "tmp"}
    check = [sys.executable, *health()[1:]]
    alive = subprocess.run(check, env={"GRADIO_SERVER_PORT": str(port)})
    assert alive.returncode == 0
    os.kill(int(inside(process)), signal.SIGTERM)  # as `docker stop` does
    assert process.wait(60) == 0
    dead = subprocess.run(check, env={"GRADIO_SERVER_PORT": str(port)}, stderr=subprocess.DEVNULL)
    assert dead.returncode == 1
