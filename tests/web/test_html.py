"""What the page says of an answer, and that nothing from outside becomes markup."""

import io
import json
import re
from dataclasses import asdict, replace
from html import unescape
from html.parser import HTMLParser

import pytest
from helpers import drawing

from realitycheck import verdict_card
from realitycheck.images import provenance
from realitycheck.results import Interval, Record, SetMetrics, Verdicts
from realitycheck.verdict_card import card
from realitycheck.web import answer_html, head, model_html, report, triage_html
from realitycheck.web.answer import About, Answer
from realitycheck.web.triage_kept import Kept
from realitycheck.wording import (
    AGREE,
    DESCRIPTION,
    DISAGREE,
    GERMAN,
    LANGUAGES,
    LEANS,
    LIMITS,
    MAP_SAYS,
    TITLE,
    UNCLEAR,
    VIEWS,
)

EVIL = "<script>alert(1)</script>\"' onerror=x"
RATES = Verdicts(
    ai_called_ai=Interval(0.3, 0.2, 0.4, 100),
    real_called_ai=Interval(0.1, 0.05, 0.2, 100),
    ai_called_real=Interval(0.08, 0.05, 0.1, 100),
    coverage=Interval(0.4, 0.3, 0.5, 200),
    selective_accuracy=None,
)
SHARE = Interval(0.6, 0.5, 0.7, 100)
FIGURES = SetMetrics(
    pictures={"ai": 100, "real": 100},
    balanced_accuracy=SHARE,
    auc=SHARE,
    verdicts=RATES,
    generators={
        "worse": replace(SHARE, value=0.3),
        "better": SHARE,
        "few": replace(SHARE, count=3),
    },
    real_sources={EVIL: SHARE},
)
CALLS = {
    "clean": {
        "ai": {"ai": 30, "uncertain": 62, "real": 8},
        "real": {"ai": 10, "uncertain": 50, "real": 40},
    }
}
METRICS = {"test": {"clean": FIGURES}, "unseen": {"clean": FIGURES}}
SURVIVAL = [
    {"condition": "clean", "probabilities": {"ai": 0.9, "real": 0.1}, "verdict": "ai"},
    {"condition": "q90", "probabilities": {"ai": 0.85, "real": 0.15}, "verdict": "ai"},
    {"condition": "half", "probabilities": {"ai": 0.5, "real": 0.5}, "verdict": "uncertain"},
]


def jpeg() -> bytes:
    buffer = io.BytesIO()
    drawing(32, 24).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def answer() -> Answer:
    held = {
        "verdict": "ai",
        "sentence": "Probably made by an AI.",
        "probabilities": {"ai": 0.9, "real": 0.1},
        "warnings": [EVIL],
        "provenance": [{"says": EVIL, "where": EVIL, "points_to": "ai", "trust": EVIL}],
        "witnesses": [{"name": "a", "p_ai": 0.9}],
        "views": looked(("whole", 0.9)),
        "picture": {"name": EVIL, "format": "PNG", "width": 32, "height": 24, "sha256": "a" * 64},
        "model": ABOUT.model,
    }
    return Answer(held, jpeg(), {("a", name): jpeg() for name in ("real", "ai")}, jpeg())


ABOUT = About(
    model={
        "source": "bundled",
        "revision": None,
        "version": "7",
        "arch": "resnet50",
        "sha256": "b" * 64,
        "ai_class": "ai",
        "thresholds": {"ai": 0.8, "real": 0.2},
        "calls": CALLS,
    },
    classes=("ai", "real"),
    ai_class="ai",
    record=Record(
        training=({"epochs": 9},),
        data={"train": {"ai": 5}},
        metrics=METRICS,
        explanations={
            "test": {
                name: Interval(value, value, value, count)
                for name, value, count in (
                    ("deletion", 0.084, 154),
                    ("deletion_random", -0.006, 154),
                    ("patch", 0.36, 77),
                    ("patch_before", 0.24, 77),
                    ("patch_random", 0.25, 77),
                )
            }
        },
    ),
)


class Tags(HTMLParser):
    """Every element of a page with its attributes; fails on what is not closed in order."""

    VOID = ("img", "input", "meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_what_tests_of_the_maps_found_stands_in_about():
    text = model_html.maps(ABOUT.record.explanations)
    Tags(text)
    for said in (
        "(77 of them)",
        "in 154 pictures",
        "36% of the map",
        "24% before",
        "25% of a random map",
    ):
        assert said in text
    assert "8.4 points (random map: -0.6)" in text
    assert model_html.maps({}) == ""


def test_the_viewer_always_begins_with_where_it_looks_ai(answer):
    for verdict, share in (("ai", 0.9), ("real", 0.1), ("uncertain", 0.5)):
        probabilities = {"real": 1 - share, "ai": share}
        said = {"verdict": verdict, "probabilities": probabilities}
        shown = {**answer.report, **said, "witnesses": [{"name": "a", "p_ai": share}]}
        text = answer_html.viewer(replace(answer, report=shown))
        tags = Tags(text).found
        images = [attrs for tag, attrs in tags if tag == "img"]
        assert all(image["alt"] for image in images)
        maps = {image["data-class"]: image for image in images if image["class"] == "rc-map"}
        assert "hidden" not in maps["ai"]
        assert "hidden" in maps["real"]
        assert [attrs["value"] for _, attrs in tags if "checked" in attrs] == ["ai"]
        assert MAP_SAYS[verdict] in text


def test_a_map_is_the_fainter_the_less_the_picture_looks_like_it(answer):
    def strength(share: float) -> float:
        shares = {"ai": share, "real": 1 - share}
        told = {"probabilities": shares, "witnesses": [{"name": "a", "p_ai": share}]}
        text = answer_html.viewer(replace(answer, report={**answer.report, **told}))
        ai, real = (
            float(re.search(rf"data-class='{name}'.*?opacity:([\d.]+)", text)[1])
            for name in ("ai", "real")
        )
        assert ai + real == pytest.approx(1 + answer_html.FAINTEST, abs=0.011)  # rounded
        return ai

    assert 0.2 < strength(0) < strength(0.5) < strength(1) == 1


@pytest.mark.parametrize("words", LANGUAGES.values())
def test_at_most_twenty_five_words_stand_under_a_map(answer, words):
    for verdict in MAP_SAYS:
        shown = replace(answer, report={**answer.report, "verdict": verdict})
        text = answer_html.viewer(shown, words)
        assert words.MAP_SAYS[verdict] in text
        lines = re.findall(r"<p class='rc-says' data-class='(\w+)'( hidden)?>([^<]+)</p>", text)
        assert [(name, hidden) for name, hidden, _ in lines] == [("ai", ""), ("real", " hidden")]
        assert lines[1][2] == words.OTHER_MAP_SAYS
        assert all(5 < len(line.split()) <= 25 for _, _, line in lines)


def test_pictures_name_their_format():
    assert answer_html.data_url(jpeg()).startswith("data:image/jpeg;")
    buffer = io.BytesIO()
    drawing(8, 8).save(buffer, "WEBP")
    assert answer_html.data_url(buffer.getvalue()).startswith("data:image/webp;")


def cards(text: str) -> list[str]:
    """The titles of the cards, in the order of reading."""
    Tags(text)
    return re.findall(r"<section class='rc-card'><h3>(.*?)</h3>", text)


def test_evidence_from_the_file_is_read_first(answer):
    titles = cards(answer_html.evidence(answer.report))
    assert titles == ["What the file says", "How its parts lean", "Why you might doubt this"]


def test_doubts_name_what_limits_the_answer(answer):
    plain = {**answer.report, "provenance": [], "views": []}
    assert answer_html.evidence(plain).count("<li>") == 1
    unmeasured = {**plain, "model": {**ABOUT.model, "calls": {}}}
    assert answer_html.evidence(unmeasured).count("<li>") == 2
    assert "never measured" in answer_html.evidence(unmeasured)
    assert cards(answer_html.evidence({**plain, "warnings": []})) == []


def looked(*views: tuple[str, float], witness: str = "a") -> list[dict]:
    return [{"witness": witness, "kind": kind, "box": [0, 0, 9, 9], "p_ai": p} for kind, p in views]


@pytest.mark.parametrize(
    ("views", "words"),
    [
        (looked(("whole", 0.9), ("native", 0.95)), AGREE),
        (looked(("whole", 0.05), ("native", 0.2)), AGREE),
        (looked(("whole", 0.9), ("native", 0.1), ("native", 0.9)), DISAGREE),
        (looked(("whole", 0.9), ("native", 0.5)), UNCLEAR),
    ],
)
def test_the_parts_say_whether_they_agree(answer, views, words):
    text = answer_html.evidence({**answer.report, "views": views})
    Tags(text)
    assert [said for said in (AGREE, DISAGREE, UNCLEAR) if said in text] == [words]
    assert text.count("<b style='left:") == len(views)


def of_two(answer: Answer, transformer: float, resnet50: float) -> Answer:
    said = [("transformer", transformer), ("resnet50", resnet50)]
    views = [looked(("whole", p), ("native", p), witness=name) for name, p in said]
    told = {
        "witnesses": [{"name": name, "p_ai": p} for name, p in said],
        "views": [*views[0], *views[1]],
    }
    maps = {(name, side): jpeg() for name, _ in said for side in ("real", "ai")}
    return replace(answer, report={**answer.report, **told}, maps=maps)


@pytest.mark.parametrize("words", LANGUAGES.values())
@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.9, 0.95), "WITNESSES_AGREE"),
        ((0.1, 0.05), "WITNESSES_AGREE"),
        ((0.9, 0.1), "WITNESSES_DISAGREE"),
        ((0.9, 0.5), "UNCLEAR"),
    ],
)
def test_two_witnesses_have_a_line_each_and_say_whether_they_agree(answer, shares, said, words):
    text = answer_html.evidence(of_two(answer, *shares).report, words)
    Tags(text)
    assert words.WITNESSES_SAY in cards(text)
    assert words.LEAN not in cards(text)
    rule = ABOUT.model["thresholds"]
    for name, share in zip(("Transformer", "ResNet-50"), shares, strict=True):
        lean = "ai" if share >= rule["ai"] else "real" if share <= rule["real"] else "uncertain"
        assert f"<li>{name}: {words.LEANS[lean]}" in text
    sentences = ("WITNESSES_AGREE", "WITNESSES_DISAGREE", "UNCLEAR")
    assert [name for name in sentences if getattr(words, name) in text] == [said]
    assert text.count("<b style='left:") == 4


def test_the_viewer_switches_between_two_witnesses(answer):
    tags = Tags(answer_html.viewer(of_two(answer, 0.6, 0.2))).found
    maps = [attrs for tag, attrs in tags if attrs.get("class") == "rc-map"]
    shown = [(m["data-witness"], m["data-class"]) for m in maps if "hidden" not in m]
    assert shown == [("transformer", "ai")]
    assert len(maps) == 4
    strengths = {(m["data-witness"], m["data-class"]): m["style"] for m in maps}
    assert strengths["resnet50", "ai"] < strengths["transformer", "ai"]
    assert strengths["resnet50", "real"] > strengths["transformer", "real"]
    checked = [attrs["value"] for _, attrs in tags if "checked" in attrs]
    assert checked == ["ai", "transformer"]


def test_one_part_agrees_with_nothing(answer):
    text = answer_html.evidence({**answer.report, "views": looked(("whole", 0.9))})
    assert not [said for said in (AGREE, DISAGREE, UNCLEAR) if said in text]


def test_an_error_is_one_sentence_in_a_card(answer):
    text = answer_html.error(f"{EVIL} cannot be read. Use JPEG.")
    assert Tags(text).found[0] == ("div", {"class": "rc-card rc-error", "role": "alert"})
    assert "cannot be read. Use JPEG." in text
    assert "<script" not in text


def test_a_shared_link_shows_our_words_and_none_of_gradios():
    theirs = (
        b'<head><meta charset="utf-8"><meta property="og:title" content="Gradio" />\n'
        b'<meta\n property="og:image"\n content="https://x.test/a.jpg"\n/>'
        b'<meta name="twitter:creator" content="@Gradio"></head><body></head></body>'
    )
    text = head.described(theirs).decode()
    assert "Gradio" not in text
    assert "x.test" not in text
    assert '<meta charset="utf-8">' in text
    assert f'<meta property="og:title" content="{TITLE}">' in text
    assert text.count(f'<meta name="description" content="{DESCRIPTION}">') == 1
    german = head.described(b'<html lang="en">' + theirs, words=GERMAN).decode()
    assert german.startswith('<html lang="de">')
    assert f'<meta name="description" content="{GERMAN.DESCRIPTION}">' in german
    assert "og:image" not in text  # whose address nobody knows
    placed = head.described(theirs, "https://x.org/demo").decode()
    assert '<meta property="og:image" content="https://x.org/demo/share.png">' in placed


@pytest.mark.parametrize(
    ("root", "headers", "address"),
    [
        ("", {"host": "x.org"}, "http://x.org"),
        ("/demo", {"host": "x.org:7860"}, "http://x.org:7860/demo"),
        ("", {"host": "[::1]:7860"}, "http://[::1]:7860"),
        (
            "",
            {"host": "in", "x-forwarded-host": "x.org", "x-forwarded-proto": "https"},
            "https://x.org",
        ),
        ("", {"host": "x.org", "x-forwarded-proto": "https, http"}, "https://x.org"),
        ("https://x.org/demo/", {"host": "127.0.0.1:7860"}, "https://x.org/demo"),
        ("", {}, ""),
        ("", {"host": 'x"><script>'}, ""),
        ("", {"host": "x.org/evil"}, ""),
        ("", {"host": "x.org", "x-forwarded-proto": "javascript"}, ""),
    ],
)
def test_the_page_s_address_is_the_one_that_was_asked_for(root, headers, address):
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "scheme": "http", "root_path": root, "headers": pairs}
    assert head.address_of(scope) == address


def test_each_kind_of_part_says_its_lean_without_a_number(answer):
    views = looked(("whole", 0.05), ("native", 0.85), ("native", 0.95), ("resized", 0.5))
    shown = {**answer.report, "views": views, "provenance": [], "warnings": []}
    text = re.sub(r"<[^>]*>", "|", answer_html.evidence(shown))
    for kind, lean in (("whole", "real"), ("native", "ai"), ("resized", "uncertain")):
        assert f"{VIEWS[kind]}: {LEANS[lean]}" in text
    assert not re.search(r"\d", text)


def test_what_the_file_says_first_is_shown_and_much_is_folded(answer):
    (finding,) = answer.report["provenance"]
    many = [{**finding, "says": f"Finding {i}."} for i in range(5)]
    shown, folded = answer_html.evidence({**answer.report, "provenance": many}).split("<details>")
    assert "Finding 0." in shown
    assert "Finding 1." not in shown
    assert "Finding 4." in folded


def test_the_report_and_the_batch_show_the_same_card(answer):
    kept = report.contents(answer, SURVIVAL, ABOUT)
    same = card(answer.report)
    Tags(same)
    assert "75 were right" in same
    assert same in report.html(answer, kept, ABOUT)
    assert same in triage_html.opened(Kept("a.jpg", answer))


def test_the_page_says_when_credentials_are_not_read(answer, monkeypatch):
    monkeypatch.setattr(provenance, "reads_credentials", lambda: False)
    assert "are not looked for" in answer_html.evidence(answer.report)
    silent = {**answer.report, "provenance": []}
    assert "are not looked for" in answer_html.evidence(silent)
    monkeypatch.setattr(provenance, "reads_credentials", lambda: True)
    assert "are not looked for" not in answer_html.evidence(answer.report)
    assert "proves nothing" in answer_html.evidence(silent)
    assert "What the file says" not in cards(answer_html.evidence(silent))  # one quiet line


def test_survival_counts_changed_verdicts():
    text = answer_html.perturbed(SURVIVAL, ABOUT.model)
    assert "changes in 1 of 2: half the size" in text
    assert "width:85%" in text
    held = [*SURVIVAL, {**SURVIVAL[0], "condition": "crop", "verdict": "uncertain"}]
    hidden = answer_html.perturbed(held, ABOUT.model).split("cut to the middle</th>")[1]
    assert "90" not in hidden  # a number that the verdict does not follow
    assert "same in all 1 changed" in answer_html.perturbed(SURVIVAL[:2], ABOUT.model)


def test_what_a_flag_means_at_a_base_rate():
    really, low, high = model_html.flagged(0.01, RATES)
    assert really == pytest.approx(100 * 0.003 / (0.003 + 0.099))
    assert low == pytest.approx(100 * 0.002 / (0.002 + 0.198))
    assert high == pytest.approx(100 * 0.004 / (0.004 + 0.0495))
    assert model_html.flagged(0.5, RATES)[0] == pytest.approx(75)
    assert model_html.flagged(0.5, replace(RATES, ai_called_ai=Interval(0, 0, 0))) == (0, 0, 0)


def test_the_base_rates_have_a_table_and_a_slider():
    found = model_html.base_rates(METRICS)
    assert re.findall(r"row'>([\d.]+%)", found) == ["1.0%", "10.0%", "50.0%"]
    said = json.loads(unescape(re.search(r"data-says='([^']+)'", found)[1]))
    assert len(said) == len(verdict_card.BASE_RATES)
    half = said[verdict_card.BASE_RATES.index(500)]
    assert half.startswith("If 50 of 100 pictures are AI-made, about 75 (")
    assert "not measured" in model_html.base_rates({})
    old = {"unseen": {"clean": replace(FIGURES, verdicts=replace(RATES, ai_called_ai=None))}}
    assert "not measured" in model_html.base_rates(old)


def test_maps_tested_on_few_pictures_reassure_nobody_beside_more():
    (found,) = ABOUT.record.explanations.values()
    few = {**found, "deletion": replace(found["deletion"], count=30)}
    assert "uncut" not in model_html.maps({"test": found, "full": few})
    assert "uncut" in model_html.maps({"full": few})


def test_figures_and_the_weakest_groups():
    assert "60.0 (50.0-70.0)" in model_html.figures(METRICS)
    assert "“unseen”: pictures from sources that training never saw." in model_html.figures(METRICS)
    assert "No accuracy" in model_html.figures({})
    assert "<details" not in model_html.figures(METRICS)
    unusual = {"test": {"q30": METRICS["test"]["clean"]}}
    assert "test, q30" in model_html.figures(unusual)
    assert "<details" not in model_html.figures(unusual)
    both = model_html.figures({"test": {**METRICS["test"], **unusual["test"]}})
    assert both.index("test, clean") < both.index("<details") < both.index("test, q30")
    assert "“worse”, 30.0" in model_html.weakest(METRICS)
    assert model_html.weakest({}) == ""


def test_about_begins_with_whole_numbers_of_the_record():
    web = {"ai": {"ai": 20, "real": 25, "uncertain": 55}, "real": {"ai": 0, "real": 100}}
    text = model_html.in_short({**CALLS, "web": web})
    assert "it called 30 AI-made, left 62 open, and called 8 a photograph" in text
    assert "it called 40 so, left 50 open, and wrongly called 10 AI-made." in text
    assert "wrongly called 0 of 100 pictures made by people AI-made, and 25 of 100" in text
    assert "re-saved" not in model_html.in_short(CALLS)
    assert model_html.in_short({}) == ""
    rare = {**CALLS["clean"], "real": {"ai": 1, "real": 900, "uncertain": 99}}
    assert "wrongly called fewer than 1 AI-made" in model_html.in_short({"clean": rare})


def visible(text: str) -> list[str]:
    """The words of a card that are not folded away."""
    shown = re.sub(r"<details>.*?</details>", " ", text, flags=re.DOTALL)
    return re.sub(r"<[^>]*>", " ", shown).split()


@pytest.mark.parametrize("words", LANGUAGES.values())
def test_no_card_has_more_than_ninety_words(answer, monkeypatch, words):
    monkeypatch.setattr(provenance, "reads_credentials", lambda: False)
    finding = provenance.Finding(
        "The file holds the settings of a picture made with Stable Diffusion web UI (AUTOMATIC1111 "
        "or alike). It was asked for “a watercolour of an orange cat that sits in a window with "
        "flowers at night, highly detailed, in soft light”.",
        'PNG text, "parameters"',
        "ai",
    )
    views = looked(*[("native", 0.1)] * 6, *[("resized", 0.9)] * 8, ("whole", 0.5))
    warnings = ["It looks like noise, not like a picture of something."] * 5
    much = {"provenance": [finding.report()] * 4, "views": views, "warnings": warnings}
    sections = answer_html.evidence({**answer.report, **much}, words).split("</section>")
    assert len(sections) == 4
    assert all(len(visible(section)) <= 90 for section in sections)


@pytest.mark.parametrize("words", LANGUAGES.values())
def test_words_of_the_trade_stay_in_about(answer, words):
    held = report.contents(answer, SURVIVAL, ABOUT)
    texts = [report.html(answer, held, ABOUT, words), triage_html.opened(Kept(EVIL, answer), words)]
    texts += [answer_html.evidence(answer.report, words), answer_html.viewer(answer, words)]
    for text in [*texts, words.INTRO]:
        said = " ".join(visible(text)).lower()
        assert not re.findall("calibrated|balanced accuracy|class ", said)
        assert not re.findall("kalibriert|balancierte genauigkeit|klasse", said)


def test_training_is_told_in_full():
    assert "epochs" in model_html.training(ABOUT.record)
    assert "does not say" in model_html.training(Record())
    begun = {"epochs": 2, "pretext": "set"}
    steps = Record.from_json({"training": {"epochs": 7, "started_from": begun}})
    told = model_html.training(steps)
    assert told.index("step 1") < told.index("step 2")
    assert "started_from" not in told
    assert "<th scope='row'>epochs</th><td>2</td><td>7</td>" in told
    assert "<th scope='row'>pretext</th><td>set</td><td></td>" in told


def test_a_report_holds_everything_and_needs_nothing(answer):
    held = report.contents(answer, SURVIVAL, ABOUT)
    text = report.html(answer, held, ABOUT)
    tags = Tags(text).found
    assert all(attrs["src"].startswith("data:") for _, attrs in tags if "src" in attrs)
    assert not [attrs for _, attrs in tags if "href" in attrs]
    assert "url(" not in text
    assert "http://" not in text
    assert "https://" not in text
    for part in ("a" * 64, "b" * 64, "version 7", held["made"], "half the size", *LIMITS):
        assert part in text
    again = json.loads(json.dumps(held))
    assert again["survival"] == SURVIVAL
    assert again["model"]["sha256"] == "b" * 64
    assert again["figures"]["unseen"]["clean"]["balanced_accuracy"] == asdict(SHARE)


def test_words_from_outside_never_become_markup(answer):
    held = report.contents(answer, SURVIVAL, ABOUT)
    texts = (
        report.html(answer, held, ABOUT),
        model_html.weakest(METRICS),
        triage_html.opened(Kept(EVIL, answer)),
    )
    for text in texts:
        assert not [tag for tag, attrs in Tags(text).found if tag == "script" or "onerror" in attrs]
