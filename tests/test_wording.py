"""Each language says everything, with the same gaps, and says nothing in English."""

import ast
import importlib
import itertools
import json
import re
import string
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import ROOT

from realitycheck import files
from realitycheck.images import credentials, exif, iptc, provenance
from realitycheck.web import calls
from realitycheck.wording import (
    ENGLISH,
    GERMAN,
    english,
    english_page,
    german,
    german_page,
    german_said,
    preferred,
    sets_meant,
)

PAIRS = [(english, german), (english_page, german_page)]
# What is the same in both languages: names, and words that German took over.
ALIKE = {
    *("RealityCheck", "Info", "Tab", "Content Credentials", "JPEG", "Transformer", "ResNet-50"),
}
# Where sentences are made that a reader meets and that no table holds: class to the argument.
MAKERS = {
    "Caveat", "PictureError", "TooSmallError", "Refused", "_misfit", "Finding", "append",
}  # fmt: skip
FILES = [
    *sorted((ROOT / "realitycheck" / "images").glob("*.py")),
    ROOT / "realitycheck" / "committee" / "abstention.py",
    ROOT / "realitycheck" / "detector.py",
    *(ROOT / "realitycheck" / "web" / f"{name}.py" for name in ("feedback", "triage_kept")),
    *(ROOT / "realitycheck" / "web" / f"{name}.py" for name in ("service", "triage", "uploads")),
]
# Of the command line and of programs, which are answered in English.
FOR_PROGRAMS = (
    "Cannot read a picture from a ",
    "Cannot open ",
    "There is no file ",
    " is a folder. Give a picture file.",
)


def table(module) -> dict:
    return {name: value for name, value in vars(module).items() if re.match("[A-Z]", name)}


def leaves(value, place=""):
    """Every text of a table with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{place}.{key}")
    else:
        for key, inner in enumerate(value):
            yield from leaves(inner, f"{place}.{key}")


def gaps(text: str) -> list[str]:
    """Names of a text's gaps in order; those without a name in their number."""
    return sorted(f"{name}:{form}" for _, name, form, _ in string.Formatter().parse(text)
                  if name is not None)  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_both_languages_say_the_same_things(ours, theirs):
    first, second = (dict(leaves(table(module))) for module in (ours, theirs))
    assert first.keys() == second.keys()
    for place, text in first.items():
        assert gaps(text) == gaps(second[place]), place
        assert text.count("<") == second[place].count("<"), place
        assert second[place] != text or text.strip() in ALIKE or gaps(text), place


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_no_german_text_is_left_in_english(ours, theirs):
    for place, text in leaves(table(theirs)):
        words = set(re.findall(r"[a-z]+", re.sub("{.*?}", "", text.lower())))
        assert not words & {"the", "of", "picture", "pictures", "is", "and", "made"}, place


@pytest.mark.parametrize("known", [german_said.SENTENCES, german_said.PHRASES])
def test_what_is_translated_has_the_same_gaps(known):
    for told, own in known.items():
        count = len(re.findall(r"{}|{said}", told))
        numbers = {name for _, name, _, _ in string.Formatter().parse(own) if name is not None}
        assert numbers <= {str(number) for number in range(count)}, told
        assert len(numbers) == count, told
        assert own != told or told in ALIKE, told
        assert told.endswith(".") == own.endswith("."), told


# --- what no table holds ----------------------------------------------------------------------


def text_of(node: ast.expr, module: str) -> str | None:
    """A sentence as the code makes it, with "7" in its gaps; None for what is no sentence."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(part.value)
            else:
                form = ast.unparse(part.format_spec) if part.format_spec else ""
                parts.append("7%" if "%" in form else "7")
        return "".join(parts)
    if isinstance(node, ast.Name):
        value = getattr(importlib.import_module(module), node.id, None)
        return value if isinstance(value, str) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        made = text_of(node.func.value, module) if node.func.attr == "format" else None
        return made and made.replace("{}", "7")
    return None


def sentences():
    for path in FILES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(
                    node.func, "attr", ""
                )  # fmt: skip
                made = (
                    text_of(node.args[0], ".".join(parts)) if name in MAKERS | {"Error"} else None
                )
                if made and made.endswith(".") and not any(told in made for told in FOR_PROGRAMS):
                    yield made


SENTENCES = sorted(set(sentences()))


def test_sentences_are_found():
    assert len(SENTENCES) > 35
    assert any(sentence.startswith("Enlarged from") for sentence in SENTENCES)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_doubt_and_every_error_has_its_german(sentence):
    assert GERMAN.said(sentence) != sentence
    assert ENGLISH.said(sentence) == sentence


@pytest.mark.parametrize(("reason", "_"), sorted(set(files._REASONS.values())))
def test_why_nothing_could_be_written(reason, _):
    said = GERMAN.said(f"The server could not write the file because {reason}. Tell whoever runs "
                       "this page.")  # fmt: skip
    assert reason not in said
    assert said.startswith("Der Server")


def test_an_event_that_failed_is_told_in_german():
    assert GERMAN.said(calls.BROKEN) != calls.BROKEN


LEFT = ("The ", "the ", " it ", " of ", " made ", " an AI", "nobody", "signature")


def german_only(text: str) -> bool:
    return not any(word in text for word in LEFT)


@pytest.mark.parametrize("kind", [*iptc.SOURCE_TYPES, "somethingElse"])
def test_every_source_type_has_its_german(kind):
    _, _, words = iptc.declared(kind)
    said = GERMAN.said(f"The file declares {words} ({kind}).")
    assert said == f"Die Datei gibt an: {german_said.PHRASES[words]} ({kind})."


@pytest.mark.parametrize("kind", [*iptc.SOURCE_TYPES, "somethingElse"])
def test_content_credentials_are_told_in_german(kind):
    roles = credentials.ACTIVE, credentials.EARLIER, credentials.PART
    states = credentials.TRUSTED, credentials.INTACT, credentials.BROKEN
    for role, state in itertools.product(roles, states):
        check_credentials(kind, role, state)


def check_credentials(kind, role, state):
    done = tuple(credentials._AFTERWARDS.values())
    for agent, program, signer, changes in (
        ("", "", "", ()),
        ("Firefly 3", "Photoshop", "Adobe (Inc.)", (*done[:4], "edited by a person")),
        ("Firefly, 3", "", "Adobe", done[6:]),
    ):
        declared = credentials.Declaration(kind, role, program, agent, changes)
        ai = credentials.Declaration("trainedAlgorithmicMedia", credentials.PART, "", "", ())
        found = credentials.Credentials(state, (declared, ai), program, signer)
        for finding in provenance._credentials(found):
            said, trust = GERMAN.said(finding.says), GERMAN.said(finding.trust)
            assert said.startswith("Die Datei ")
            assert german_only(said), said
            assert trust != finding.trust
            assert german_only(trust), trust
            if finding.points_to == "ai" and kind != "trainedAlgorithmicMedia":
                assert f"({kind})" in said or "(trainedAlgorithmicMedia)" in said


def test_what_was_done_to_a_picture_is_told_in_german():
    for done in (*credentials._AFTERWARDS.values(), "enhanced by an algorithm"):
        assert done in german_said.PHRASES
    told = "The file, in Content Credentials, declares a scan of a print (print); afterwards: {}."
    assert GERMAN.said(told.format("resized, cropped, saved anew")) == (
        "Die Datei gibt an, in Content Credentials: Scan eines Abzugs (print); danach: in der "
        "Größe verändert, beschnitten, neu gespeichert."
    )


PACKET = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF
xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description
xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:d="http://purl.org/dc/terms/"
xmlns:p="http://ns.adobe.com/photoshop/1.0/" xmlns:t="http://www.tc260.org.cn/ns/AIGC/1.0/"
{} /></r:RDF></x:xmpmeta>"""


@pytest.mark.parametrize(
    "field",
    [
        "e:DigitalSourceType='http://cv.iptc.org/newscodes/digitalsourcetype/digitalArt'",
        "e:AISystemUsed='Foo' e:AIPromptInformation='a cat, edited by a person'",
        "e:AIPromptInformation='a cat'",
        "p:Credit='Made with Google AI'",
        "d:provenance='https://example.com/x.c2pa'",
        "t:AIGC='{&quot;Label&quot;: &quot;1&quot;}'",
        "t:AIGC='{&quot;Label&quot;: &quot;2&quot;}'",
    ],
)
def test_what_files_say_is_told_in_german(picture, tmp_path, field):
    picture.save(tmp_path / "a.jpg", xmp=PACKET.replace("{}", field, 1).encode())
    findings = provenance.examine((tmp_path / "a.jpg").read_bytes())
    assert findings
    for finding in findings:
        said = GERMAN.said(finding.says)
        assert said != finding.says
        assert german_only(said), said
        assert finding.prompt in said
        assert GERMAN.said(finding.trust) == german.FORGEABLE
    assert german_only(provenance.summary([*findings, *findings], GERMAN))
    assert not provenance.summary(findings, GERMAN).startswith("Die Datei ")


def test_cameras_and_settings_are_told_in_german():
    tags = exif.Tags({"Make": "Canon", "Model": "EOS"})
    (camera,) = provenance._camera(tags)
    ai = provenance.Finding("The file holds an AI's prompt.", "XMP", "ai")
    beside = provenance._beside_ai(camera, [camera, ai])
    for says in (camera.says, beside.says):
        assert "Canon EOS" in GERMAN.said(says)
        assert german_only(GERMAN.said(says))
    note = (
        "PNG text",
        "parameters",
        "a cat, cropped\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 8x8",
    )
    (found,) = provenance.examine(None, [note])
    said = GERMAN.said(found.says)
    assert "„a cat, cropped“" in said  # what somebody wrote stays as it is
    assert german_only(said)


def test_examples_are_told_in_german():
    listed = json.loads((ROOT / "examples" / "examples.json").read_text(encoding="utf-8"))
    for example in listed:
        for name in ("subject", "made_by"):
            assert GERMAN.said(example[name]) != example[name]


def test_unknown_sentences_stay_as_they_are():
    for sentence in ("", "Nobody knows {this} {} one.", "cropped", "It was cropped, edited.", "\n"):
        assert GERMAN.said(sentence) == sentence


def test_a_missing_sentence_is_an_error():
    with pytest.raises(AttributeError, match="NO_SUCH"):
        _ = GERMAN.NO_SUCH


# --- who reads what ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("DE-ch", "de"),
        ("en-US,en;q=0.9,de;q=0.8", "en"),
        ("en;q=0.5, de-AT", "de"),
        ("de;q=0.3,en;q=0.7", "en"),
        ("fr-FR,fr;q=0.9,de;q=0.8", "en"),  # the browser shows what is fixed in English too
        ("de;q=0", "en"),
        ("de;q=nan, en", "en"),
        ("*", "en"),
        (";;q=,,=,", "en"),
        ("x" * 10**6 + ",de", "en"),
    ],
)
def test_the_first_language_counts(header, code):
    assert preferred(header).code == code


def test_languages_are_safe_to_share():
    with pytest.raises(AttributeError):
        GERMAN.code = "en"

    def read(number: int) -> str:
        return (GERMAN, ENGLISH)[number % 2].said("Choose a picture first.")

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, range(100)))
    assert found[::2] == ["Zuerst ein Bild auswählen."] * 50
    assert found[1::2] == ["Choose a picture first."] * 50


def test_numbers_are_written_as_the_language_writes_them():
    assert GERMAN.figures("60.0 (50.0-70.0) of 1.5%") == "60,0 (50,0-70,0) of 1,5 %"
    assert ENGLISH.figures("60.0%") == "60.0%"
    assert sets_meant(["unseen", "mine"], GERMAN) == (
        " „unseen“: Bilder aus Quellen, die das Training nie sah."
    )
