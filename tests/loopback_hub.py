"""A small Hugging Face Hub on this machine, for the real `huggingface_hub` client.

Keeps repositories in memory, speaks the routes that a push, a pull and a Space need (LFS
included), and can be told to fail.
"""

import base64
import contextlib
import hashlib
import json
import socket
import threading
import time
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

TOKEN = "hf_good"
LFS_FROM = 10_000  # bytes: larger files go through LFS
# What the Hub writes into a new Space.
SPACE_TEMPLATE = """---
title: Demo
emoji: 🐠
colorFrom: red
colorTo: indigo
sdk: gradio
sdk_version: 6.0.0
app_file: app.py
pinned: false
---

Check out the configuration reference at https://huggingface.co/docs/hub/spaces-config-reference
"""


@dataclass
class Repo:
    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)  # oldest first
    tags: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    hardware: str = "cpu-basic"
    options: dict = field(default_factory=dict)

    def __post_init__(self):
        self.commit({".gitattributes": b""})

    def commit(self, files: dict[str, bytes]) -> str:
        content = json.dumps(sorted((n, sha256(d)) for n, d in files.items()))
        oid = hashlib.sha1(f"{len(self.commits)} {content}".encode()).hexdigest()
        self.commits[oid] = dict(files)
        return oid

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[self.head]

    def resolve(self, revision: str) -> str | None:
        if revision == "main":
            return self.head
        revision = self.tags.get(revision, revision)
        return revision if revision in self.commits else None


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _entry(name: str, data: bytes) -> dict:
    """A file in the listing of a commit; of a large one git holds a pointer."""
    entry = {"type": "file", "path": name, "size": len(data), "oid": git_oid(data)}
    if len(data) > LFS_FROM:
        pointer = f"oid sha256:{sha256(data)}\nsize {len(data)}\n".encode()
        lfs = {"oid": sha256(data), "size": len(data), "pointerSize": len(pointer)}
        entry |= {"oid": git_oid(pointer), "lfs": lfs}
    return entry


def refuse(status: int, message: str, code: str = "") -> Response:
    headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    return JSONResponse({"error": message}, status, headers)


class LoopbackHub:
    """The server; use as a context manager. `url` is its address while it runs.

    Attributes:
        repos: ("models", "spaces" or "datasets", "owner/name") to `Repo`.
        requests: "METHOD path" of every request so far.
        starts: where every download that asked for a range began, bytes.
        fail: substring of "METHOD path" to the status such requests are refused with, or to
            status and message, or to status, message and error code.
        lfs_error: what the LFS batch route says of every object, which it then does not take.
        cut: bytes after which a download breaks off.
        cuts: how many of the next downloads do.
        stages: what a Space's runtime says, one after another; the last one stays.
    """

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.lfs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.starts: list[int] = []
        self.fail: dict[str, int | tuple] = {}
        self.lfs_error = ""
        self.cut, self.cuts = 12_000_000, 0  # the client keeps whole chunks of 10 MB
        self.stages = ["BUILDING", "APP_STARTING", "RUNNING"]
        self._told: dict[str, int] = {}

    def __enter__(self) -> "LoopbackHub":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        app = Starlette(routes=[Route("/{path:path}", self._answer, methods=METHODS)])
        config = uvicorn.Config(app, port=port, log_level="critical")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_) -> None:
        self._server.should_exit = True
        self._thread.join(5)

    # --- requests -------------------------------------------------------------------------

    async def _answer(self, request: Request) -> Response:
        called = f"{request.method} {request.url.path}"
        self.requests.append(called)
        for part, refusal in self.fail.items():
            if part in called:
                return refuse(*((refusal, "told to fail") if isinstance(refusal, int) else refusal))
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer and bearer != TOKEN:
            return refuse(401, "Invalid credentials in Authorization header")
        return await self._route(request, bool(bearer))

    async def _route(self, request: Request, known: bool) -> Response:
        parts = request.url.path.strip("/").split("/")
        if parts[0] == "lfs":
            return await self._lfs_object(request, parts[1])
        if parts[:2] == ["api", "whoami-v2"]:
            return JSONResponse({"name": "owner", "type": "user", "orgs": [], "auth": {}})
        if parts[:2] == ["api", "validate-yaml"]:
            return JSONResponse({"errors": [], "warnings": []})
        if parts[:3] == ["api", "repos", "create"]:
            return await self._create(request, known)
        if parts[0] == "api":
            kind, repo_id, rest = parts[1], "/".join(parts[2:4]), parts[4:]
            repo = self.repos.get((kind, repo_id))
            if repo is None or (repo.private and not known):
                return refuse(404 if known else 401, "Repository not found", "RepoNotFound")
            if request.method != "GET" and not known:
                return refuse(403, "a token is needed")
            return await self._api(request, kind, repo_id, repo, rest or ["revision", "main"])
        kind = parts[0] if parts[0] in ("spaces", "datasets") else "models"
        parts = parts[1:] if kind != "models" else parts
        repo_id = "/".join(parts[:2]).removesuffix(".git")
        repo = self.repos.get((kind, repo_id))
        if repo is None or (repo.private and not known):
            return refuse(404 if known else 401, "Repository not found", "RepoNotFound")
        if parts[2:] == ["info", "lfs", "objects", "batch"]:
            return await self._lfs_batch(request)
        if repo.gated and not known:
            return refuse(401, "Access is restricted", "GatedRepo")
        return self._resolve(request, repo, parts[3], "/".join(parts[4:]))

    async def _create(self, request: Request, known: bool) -> Response:
        if not known:
            return refuse(401, "Invalid username or password")
        body = await request.json()
        owner = body.get("organization") or "owner"
        kind = {"space": "spaces", "dataset": "datasets"}.get(body.get("type"), "models")
        name = f"{owner}/{body['name']}"
        url = f"{self.url}/{'' if kind == 'models' else f'{kind}/'}{name}"
        if (kind, name) in self.repos:
            return JSONResponse({"error": "exists", "url": url}, 409)
        private = bool(body.get("private")) or body.get("visibility") == "private"
        repo = self.repos[kind, name] = Repo(private=private, options=body)
        if kind == "spaces":
            repo.commit({**repo.files, "README.md": SPACE_TEMPLATE.encode()})
        return JSONResponse({"url": url, "name": name})

    async def _api(self, request, kind, repo_id, repo: Repo, rest: list[str]) -> Response:
        what, body = rest[0], {}
        if request.method == "POST" and what != "commit":
            body = json.loads(await request.body() or b"{}")
        if what == "refs":
            tags = [
                {"name": n, "ref": f"refs/tags/{n}", "targetCommit": c}
                for n, c in repo.tags.items()
            ]
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head}
            return JSONResponse({"branches": [main], "tags": tags, "converts": []})
        if what == "variables":
            if request.method == "POST":
                repo.variables[body["key"]] = body["value"]
            elif request.method == "DELETE":
                del repo.variables[(await request.json())["key"]]
            found = {k: {"value": v, "description": ""} for k, v in repo.variables.items()}
            return JSONResponse(found)
        if what == "hardware":
            repo.hardware = body["flavor"]
            return JSONResponse(self._runtime(repo_id, repo))
        if what == "runtime":
            self._told[repo_id] = self._told.get(repo_id, -1) + 1
            return JSONResponse(self._runtime(repo_id, repo))
        if what == "logs":
            lines = "".join(
                f"data: {json.dumps({'data': line, 'timestamp': ''})}\n\n"
                for line in ("step 1\n", "ERROR: No matching distribution\n")
            )
            return Response(lines, media_type="text/event-stream")
        commit = repo.resolve(rest[1])
        if commit is None:
            return refuse(404, "Invalid rev id", "RevisionNotFound")
        if what == "super-squash":
            repo.commits = {commit: repo.commits[commit]}
            return JSONResponse({})
        if what == "revision":
            names = [{"rfilename": name} for name in repo.commits[commit]]
            return JSONResponse(
                {"id": repo_id, "modelId": repo_id, "sha": commit, "siblings": names,
                 "private": repo.private, "gated": repo.gated, "tags": [], "downloads": 0,
                 "likes": 0}
            )  # fmt: skip
        if what == "tree":
            entries = [_entry(name, data) for name, data in repo.commits[commit].items()]
            return JSONResponse(entries)
        if what == "preupload":
            return JSONResponse({"files": [self._preupload(repo, f) for f in body["files"]]})
        if what == "tag":
            if body["tag"] in repo.tags:
                return refuse(409, "Tag already exists")
            repo.tags[body["tag"]] = commit
            return JSONResponse({})
        if what == "commit":
            return await self._commit(request, repo, repo_id)
        return refuse(404, f"no such route: {rest}")

    def _runtime(self, repo_id: str, repo: Repo) -> dict:
        stage = self.stages[min(max(self._told.get(repo_id, 0), 0), len(self.stages) - 1)]
        flavor = {"current": repo.hardware, "requested": repo.hardware}
        return {"stage": stage, "hardware": flavor, "storage": None, "gcTimeout": None}

    def _preupload(self, repo: Repo, wanted: dict) -> dict:
        name, mode = wanted["path"], "lfs" if wanted["size"] > LFS_FROM else "regular"
        there = repo.files.get(name)
        oid = None
        if there is not None:
            oid = sha256(there) if mode == "lfs" else git_oid(there)
        return {"path": name, "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    async def _commit(self, request: Request, repo: Repo, repo_id: str) -> Response:
        files = dict(repo.files)
        for line in (await request.body()).splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header" and value.get("parentCommit", repo.head) != repo.head:
                return refuse(412, "A commit has happened since. Please refresh and try again.")
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                if value["oid"] not in self.lfs:
                    return refuse(400, "LFS object missing")
                files[value["path"]] = self.lfs[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        oid = repo.commit(files)
        url = f"{self.url}/{repo_id}/commit/{oid}"
        return JSONResponse({"commitOid": oid, "commitUrl": url, "success": True})

    # --- files ----------------------------------------------------------------------------

    async def _lfs_batch(self, request: Request) -> Response:
        objects = []
        for entry in (await request.json())["objects"]:
            answer = {"oid": entry["oid"], "size": entry["size"]}
            if self.lfs_error:
                answer["error"] = {"code": 422, "message": self.lfs_error}
            elif entry["oid"] not in self.lfs:
                href = f"{self.url}/lfs/{entry['oid']}"
                answer["actions"] = {"upload": {"href": href}, "verify": {"href": href}}
            objects.append(answer)
        return JSONResponse({"transfer": "basic", "objects": objects})

    async def _lfs_object(self, request: Request, oid: str) -> Response:
        if request.method == "PUT":
            data = await request.body()
            if sha256(data) != oid:
                return refuse(400, "not the announced object")
            self.lfs[oid] = data
        return JSONResponse({})

    def _resolve(self, request: Request, repo: Repo, revision: str, name: str) -> Response:
        commit = repo.resolve(revision)
        if commit is None:
            return refuse(404, "Invalid rev id", "RevisionNotFound")
        data = repo.commits[commit].get(name)
        if data is None:
            return refuse(404, "Entry not found", "EntryNotFound")
        etag = sha256(data) if len(data) > LFS_FROM else git_oid(data)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if len(data) > LFS_FROM:
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(data))}
        start, status = 0, 200
        asked = request.headers.get("range", "")
        if asked.startswith("bytes="):
            start, status = int(asked.removeprefix("bytes=").split("-")[0]), 206
            self.starts.append(start)
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        body = data[start:]
        headers["Content-Length"] = str(len(body))
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        if self.cuts and len(body) > self.cut:
            self.cuts -= 1
            return StreamingResponse(_broken(body, self.cut), status, headers)
        return Response(body, status, headers)


METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]


async def _broken(body: bytes, after: int):
    yield body[:after]
    raise ConnectionError("told to break off")


@contextlib.contextmanager
def client_of(url: str, cache, monkeypatch_context):
    """Points the client in this process at a Hub and an empty cache."""
    from huggingface_hub import constants

    with monkeypatch_context() as patch:
        patch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setenv("HF_HOME", str(cache))
        yield
