"""A committee of two in a real browser: what each witness says, and its own map."""

import pytest
from browsing import NARROW, WIDE, found_by_axe, upload
from gradio_client import Client, handle_file
from helpers import ROOT, start_app

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(two, tmp_path_factory):
    logs = tmp_path_factory.mktemp("server")
    with start_app(logs, options=["--model", str(two)]) as url:
        yield url


def shown_maps(page) -> list[tuple[str, str]]:
    return page.locator("#viewer .rc-map:visible").evaluate_all(
        "maps => maps.map(map => [map.dataset.witness, map.dataset.class])"
    )


def test_a_map_of_either_witness_on_either_side(open_page, pictures):
    page = open_page()
    upload(page)
    assert "What each network says" in page.locator("#evidence").inner_text()
    assert shown_maps(page) == [["transformer", "ai"]]
    switch = page.locator("#viewer").get_by_role("radio")
    switch.and_(page.get_by_label("ResNet-50")).check()
    assert shown_maps(page) == [["resnet50", "ai"]]
    switch.and_(page.get_by_label("photograph or human-made")).check()
    assert shown_maps(page) == [["resnet50", "real"]]
    switch.and_(page.get_by_label("Transformer")).check()
    assert shown_maps(page) == [["transformer", "real"]]
    page.screenshot(path=pictures / "witnesses.png")


@pytest.mark.parametrize("viewport", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(open_page, pictures, viewport, scheme):
    page = open_page(viewport, scheme)
    upload(page)
    assert found_by_axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    name = f"witnesses-{viewport['width']}-{scheme}.png"
    page.screenshot(path=pictures / name, full_page=True)


def test_the_api_names_both(server, tmp_path):
    client = Client(server, verbose=False, download_files=tmp_path)
    picture = handle_file(ROOT / "examples" / "cat.jpg")
    _, _, report = client.predict(picture, api_name="/predict")
    assert [said["name"] for said in report["witnesses"]] == ["transformer", "resnet50"]
    assert {view["witness"] for view in report["views"]} == {"transformer", "resnet50"}
