"""The demo as a tool of MCP clients: `app.py --mcp` and the real client."""

import asyncio
import base64
import subprocess
import sys

import pytest
from gradio_client import Client
from helpers import PATIENCE, ROOT, start_app
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

pytestmark = pytest.mark.slow
META = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with start_app(tmp_path_factory.mktemp("server"), options=["--mcp"]) as url:
        yield url


def ask(server, *calls):
    """The tools by name, and what each call returns: whether it failed, and its texts."""

    async def talk():
        async with (
            streamable_http_client(server + "/gradio_api/mcp/") as (reader, writer, _),
            ClientSession(reader, writer) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            answers = [await session.call_tool(*call) for call in calls]
            texts = ["".join(getattr(c, "text", "") for c in a.content) for a in answers]
            return tools, [(a.isError, text) for a, text in zip(answers, texts, strict=True)]

    return asyncio.run(talk())


def test_the_tool_is_the_api_without_batches(server):
    tools, _ = ask(server)
    api = Client(server, verbose=False).view_api(return_format="dict")["named_endpoints"]
    assert list(tools) == ["predict"]
    assert api["/predict"]["description"].split(".")[0] in tools["predict"].description


def test_a_picture_is_examined(server):
    data = base64.b64encode((ROOT / "examples" / "cat.jpg").read_bytes()).decode()
    _, [(failed, text)] = ask(server, ("predict", {"picture": f"data:image/jpeg;base64,{data}"}))
    assert not failed, text
    assert '"verdict"' in text.replace("'", '"')


def test_files_of_the_server_are_not_read(server):
    attacks = ["/etc/passwd", str(ROOT / "README.md"), f"{server}/config", "file:///etc/passwd"]
    calls = [("predict", {"picture": attack}) for attack in attacks]
    calls += [("predict", {"picture": {"path": a, "meta": META}}) for a in attacks]
    calls += [("predict_batch", {"pictures": [{"path": a, "meta": META}]}) for a in attacks]
    _, answers = ask(server, *calls)
    for failed, text in answers:
        assert failed, text
        assert "root:" not in text


def test_without_the_extra_the_option_says_what_to_install(tmp_path):
    hidden = "import sys; sys.modules['mcp'] = None; import runpy; sys.argv = ['app.py', '--mcp']"
    done = subprocess.run(
        [sys.executable, "-c", f"{hidden}; runpy.run_path('app.py', run_name='__main__')"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert "pip install 'gradio[mcp]'" in done.stderr
