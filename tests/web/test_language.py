"""The page in two languages, as browsers that ask for one or the other get it."""

import json
import re
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from browsing import DESKTOP, PHONE, answered, choose, found_by_axe, upload
from helpers import HTTP, ROOT, page_config
from PIL import Image

from realitycheck.wording import ENGLISH, GERMAN, LANGUAGES, Language

CAT = ROOT / "examples" / "cat.jpg"
META = {"_type": "gradio.FileData"}
ACCEPTED = {"en": "en-GB,en;q=0.9,de;q=0.8", "de": "de-DE,de;q=0.9,en;q=0.8"}


def sent(server, content: bytes, name: str = "a.jpg") -> dict:
    answer = HTTP.post(f"{server}/gradio_api/upload", files={"files": (name, content)})
    return {"path": answer.json()[0], "meta": META}


def event(server, name: str, data: list, language: str | None) -> list[dict]:
    """All that the page's own event of this name answers a visitor, in turn."""
    headers = {"Accept-Language": ACCEPTED[language]} if language else {"Accept-Language": ""}
    config = HTTP.get(f"{server}/config").json()
    (number,) = (e["id"] for e in config["dependencies"] if e["api_name"] == name)
    session = secrets.token_hex(6)
    body = {"fn_index": number, "data": data, "session_hash": session, "event_data": {"number": 2}}
    joined = HTTP.post(f"{server}/gradio_api/queue/join", json=body, headers=headers)
    joined.raise_for_status()
    said = HTTP.get(f"{server}/gradio_api/queue/data?session_hash={session}").text
    messages = [json.loads(message) for message in re.findall(r"data: (.*)", said)]
    outputs = [message["output"] for message in messages if "output" in message]
    assert outputs
    return outputs


def last(server, name: str, data: list, language: str) -> list:
    return event(server, name, data, language)[-1]["data"]


def shown(server, name: str, data: list, language: str | None) -> str:
    return json.dumps(event(server, name, data, language), ensure_ascii=False)


@pytest.fixture(scope="module")
def cat(server) -> dict:
    return sent(server, CAT.read_bytes(), "cat.jpg")


@pytest.mark.parametrize("language", [None, "en", "de"])
def test_an_answer_is_in_the_visitor_s_language(server, cat, language):
    words, other = (ENGLISH, GERMAN) if language != "de" else (GERMAN, ENGLISH)
    text = shown(server, "examine", [cat], language)
    for name in ("WHAT_NOW", "ANOTHER", "LEAN", "NUMBERS", "EXAMINED", "BASE_RATE", "NOTHING"):
        assert getattr(words, name) in text
        assert getattr(other, name) not in text


def test_an_example_says_what_it_is_in_the_visitor_s_language(server):
    assert "Ein Foto der Katze Chelsea" in shown(server, "try_example", [], "de")
    assert "A photograph of Chelsea the cat" in shown(server, "try_example", [], "en")


@pytest.mark.parametrize(
    ("content", "english", "german"),
    [
        (b"", "The file is empty.", "Die Datei ist leer."),
        (b"no picture", "This is not a picture we can read.", "Das ist kein Bild"),
        (CAT.read_bytes()[:5000], "is damaged or cut short", "ist beschädigt oder abgebrochen"),
    ],
)
def test_a_refusal_is_in_the_visitor_s_language(server, content, english, german):
    file = sent(server, content)
    assert english in shown(server, "examine", [file], "en")
    text = shown(server, "examine", [file], "de")
    assert german in text
    assert english not in text
    assert GERMAN.NOT_CHECKED in text


def test_doubts_are_in_the_visitor_s_language(server, tmp_path):
    Image.new("RGB", (400, 300), "teal").save(tmp_path / "flat.png")
    file = sent(server, (tmp_path / "flat.png").read_bytes(), "flat.png")
    assert "Das meiste ist einfarbige Fläche" in shown(server, "examine", [file], "de")
    assert "Most of it is flat colour" in shown(server, "examine", [file], "en")


def test_copies_and_the_report_are_in_the_visitor_s_language(server, cat):
    copies = shown(server, "ask_again", [cat], "de")
    assert GERMAN.COPIES_ASKED.format(0, 7) in copies
    assert GERMAN.PERTURBATIONS["half"] in copies
    for language, title in (("de", GERMAN.REPORT_TITLE), ("en", ENGLISH.REPORT_TITLE)):
        *_, made = last(server, "ask_again_1", [cat], language)
        page, held = (
            HTTP.get(f"{server}/gradio_api/file={file['path']}") for file in made["value"]
        )
        assert title in page.text
        assert f'<html lang="{language}">' in page.text
        assert held.json()["limits"] == list(ENGLISH.LIMITS)  # for programs


def test_many_pictures_are_told_in_the_visitor_s_language(server, cat):
    lost = [{"name": "lost.png"}]
    for words in LANGUAGES.values():
        (tile,) = last(server, "triage", lost, words.code)
        assert tile["reason"] == words.WORDS["lost"]
        (tile,) = last(server, "triage", [{"file": cat["path"]}], words.code)
        assert words.WHAT_NOW in shown(server, "triage_open", [tile["kept"]], words.code)
    assert GERMAN.said("No picture was sent.") in shown(server, "triage", [None], "de")


def test_an_answer_that_is_kept_is_read_in_any_language(server, cat):
    (tile,) = last(server, "triage", [{"file": cat["path"]}], "en")
    assert GERMAN.WHAT_NOW in shown(server, "triage_open", [tile["kept"]], "de")


def test_the_api_answers_everybody_in_english(server, cat):
    headers = {"Accept-Language": ACCEPTED["de"]}
    base = f"{server}/gradio_api/call/predict"
    event_id = HTTP.post(base, json={"data": [cat]}, headers=headers).json()["event_id"]
    text = HTTP.get(f"{base}/{event_id}", headers=headers).text
    assert "event: complete" in text
    assert not re.search("Urteil|Bilder|ß", text)
    empty = HTTP.post(base, json={"data": [None]}, headers=headers).json()["event_id"]
    assert "Choose a picture first." in HTTP.get(f"{base}/{empty}", headers=headers).text


def test_visitors_at_once_each_get_their_own_language(server, cat):
    codes = ["de", "en"] * 6
    with ThreadPoolExecutor(len(codes)) as pool:
        texts = list(pool.map(lambda code: shown(server, "examine", [cat], code), codes))
    for code, text in zip(codes, texts, strict=True):
        for words in LANGUAGES.values():
            assert (words.WHAT_NOW in text) == (words.code == code)


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_itself_is_in_the_visitor_s_language(server, language):
    words = LANGUAGES[language]
    page = HTTP.get(server, headers={"Accept-Language": ACCEPTED[language]})
    assert re.search(r'<html\s+lang="(\w+)"', page.text)[1] == language
    assert words.DESCRIPTION in page.text
    assert page.headers["vary"] == "accept-language"


def fixed(server, words: Language) -> list[str]:
    """The texts of the page before anybody has asked anything."""
    names = ("value", "label", "placeholder")
    components = page_config(server, words.code)["components"]
    return [
        part["props"][name]
        for part in components
        for name in names
        if isinstance(part["props"].get(name), str) and part["props"].get("visible", True)
    ]


def test_what_the_page_begins_with_is_in_every_language(server):
    english, german = (fixed(server, words) for words in (ENGLISH, GERMAN))
    assert len(english) == len(german)
    alike = {one for one, other in zip(english, german, strict=True) if one and one == other}
    assert alike == {"Report"} & alike  # nothing but what only Gradio's own place names
    text = "\n".join(german)
    for name in ("DROP", "TRY", "KEEP_REPORT", "WHAT", "TRUST", "RUNNING", "ADDRESS"):
        assert getattr(GERMAN, name) in text
    for limit in GERMAN.LIMITS:
        assert limit in text
    folded = r"<details.*?</details>|<[^>]*>|```.*```"  # settings of the training, and code
    told = re.sub(folded, " ", text, flags=re.DOTALL)
    assert not re.search(r"\b(the|pictures?|verdict)\b", told)


# --- in a browser -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_german_browser_shows_a_german_page(open_page, pictures, viewport, scheme):
    page = open_page(viewport, scheme, locale="de-DE")
    name = f"{viewport['width']}-{scheme}.png"

    def fits(shot: str) -> None:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert found_by_axe(page) == []
        page.screenshot(path=pictures / f"german-{shot}-{name}", full_page=True)

    assert page.evaluate("[document.documentElement.lang, document.body.lang]") == ["de", "de"]
    fits("begin")
    upload(page, "lens.jpg")
    assert GERMAN.WHAT_NOW in page.locator("#verdict").inner_text()
    page.get_by_role("button", name=GERMAN.ASK_AGAIN).click()
    page.locator("#survival table").wait_for()
    page.get_by_role("button", name=GERMAN.MAKE_REPORT).click()
    page.locator("#report a").first.wait_for()
    for folded in page.locator("#check summary").all():
        folded.click()
    fits("answer")
    page.get_by_role("tab", name=GERMAN.TABS[1]).click()
    page.set_input_files(".rc-drop input", [CAT, ROOT / "README.md"])
    page.locator(".rc-heard", has_text="2 geprüft").wait_for(state="attached")
    fits("many")
    page.locator(".rc-tile").first.click()
    page.locator(".rc-inside .rc-verdict").wait_for()
    fits("opened")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name=GERMAN.TABS[2]).click()
    page.wait_for_timeout(300)
    fits("about")


@pytest.mark.slow
def test_what_a_german_browser_says_by_itself(open_page, tmp_path):
    page = open_page(DESKTOP, locale="de-AT")
    page.get_by_label(GERMAN.GUESS_FIRST).check()
    page.get_by_label("eine Katze").click()
    page.get_by_role("button", name=GERMAN.IN_BROWSER["guesses"]["ai"]).click()
    page.get_by_text(GERMAN.IN_BROWSER["wrong"]).wait_for()
    answered(page)
    page.get_by_role("button", name=GERMAN.ANOTHER).click()
    (tmp_path / "huge.jpg").write_bytes(b"\xff\xd8\xff" + bytes(26 * 2**20))
    choose(page, tmp_path / "huge.jpg")
    page.get_by_text(GERMAN.IN_BROWSER["too_large"]).wait_for()


@pytest.mark.slow
def test_a_browser_of_another_language_shows_english(open_page):
    page = open_page(DESKTOP, locale="fr-FR")
    upload(page, "cat.jpg")
    assert page.evaluate("document.body.lang") == "en"
    assert ENGLISH.WHAT_NOW in page.locator("#verdict").inner_text()
    assert page.get_by_role("tab", name=ENGLISH.TABS[0]).is_visible()
