"""An answer as HTML: what the web page and the report that is saved from it both show.

Every text that comes from outside (file names, metadata, class names) is escaped here.
"""

import base64
import io
import json
from html import escape
from typing import Any

from PIL import Image

from realitycheck.images import provenance
from realitycheck.verdict_card import p_ai, withheld
from realitycheck.web.answer import Answer
from realitycheck.web.html_tables import scrolling
from realitycheck.wording import ENGLISH, Language

FAINTEST = 0.3  # opacity of the hottest spot, of a map whose class has no probability
SHOWN = 1  # findings in a file, before the others are folded away
THUMBNAIL = 112  # px


def error(sentence: str, words: Language = ENGLISH) -> str:
    """Why there is no answer, and what to do, where the answer would stand.

    Args:
        sentence: of a `PictureError`, which names both.
        words: the reader's, here and below.
    """
    return (
        f"<div class='rc-card rc-error' role='alert'><h2>{words.NOT_CHECKED}</h2>"
        f"<p>{escape(words.said(sentence))}</p></div>"
    )


def again(answer: Answer, words: Language = ENGLISH) -> str:
    """What was checked, small, and the way to the next picture.

    The picture is drawn by us: browsers draw no HEIC and no TIFF.

    Args:
        answer: of `Service.check`.
        words: the reader's.
    """
    name = escape(answer.report["picture"]["name"] or words.UNNAMED)
    return (
        f"<img src='{thumbnail(answer.picture)}' alt='' data-name='{name}'>"
        f"<button>{words.ANOTHER}</button>"
    )


def thumbnail(picture: bytes, side: int = THUMBNAIL) -> str:
    """A picture made small, as the source of an `img`.

    Args:
        picture: a JPEG, PNG or WebP.
        side: the longer one, px.
    """
    opened = Image.open(io.BytesIO(picture))
    opened.draft("RGB", (2 * side, 2 * side))  # a JPEG is decoded small
    small = opened.convert("RGB")
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return data_url(buffer.getvalue())


def numbers(report: dict[str, Any], words: Language = ENGLISH) -> str:
    """Everything that was found, folded away.

    Args:
        report: of `Prediction.report`.
        words: the reader's.
    """
    text = json.dumps(report, indent=2, ensure_ascii=False)
    return (
        f"<details class='rc-card'><summary>{words.NUMBERS}</summary>"
        f"<pre tabindex='0'>{escape(text)}</pre></details>"
    )


def history(words: Language = ENGLISH) -> str:
    """The list of what was checked, which page.js fills and shows once there is something."""
    return (
        f"<details class='rc-card' hidden><summary>{words.CHECKED_HERE}</summary>"
        "<div class='rc-history'></div>"
        f"<button onclick='realitycheck.clear()'>{words.CLEAR}</button></details>"
    )


def progress(done: int, words: Language = ENGLISH) -> str:
    """How many of a picture's copies were asked about.

    Args:
        done: of `wording.PERTURBATIONS`.
        words: the reader's.
    """
    total = len(words.PERTURBATIONS)
    return (
        f"<p class='rc-progress' role='status'><progress max='{total}' value='{done}' "
        f"aria-hidden='true'></progress> {words.COPIES_ASKED.format(done, total)}</p>"
    )


def viewer(answer: Answer, words: Language = ENGLISH) -> str:
    """The picture under its map, with a handle to uncover it.

    A switch leads to the other side, and one between the witnesses where there are several. It
    always begins with where the picture looks AI-made, drawn the fainter the less it does.

    Args:
        answer: of `Service.check`.
        words: the reader's.
    """
    report = answer.report
    ai_class = report["model"]["ai_class"]
    # Python sorts stably: the witness that weighs most stays the first.
    chosen = sorted(answer.maps, key=lambda of: of[1] != ai_class)
    witnesses = {witness: _named(witness, words) for witness, _ in chosen}
    sides = {name: words.MAP_SIDES[0 if name == ai_class else 1] for _, name in chosen}
    layers: list[str] = []
    for witness, name in chosen:
        strength = FAINTEST + (1 - FAINTEST) * _strength(report, witness, name)
        seen_by = f" ({witnesses[witness]})" if len(witnesses) > 1 else ""
        layers.append(
            f"<img class='rc-map' data-witness='{escape(witness)}' data-class='{escape(name)}' "
            f"src='{data_url(answer.maps[witness, name])}' alt='{sides[name]}{seen_by}' "
            f"style='opacity:{strength:.2f}'{' hidden' if layers else ''}>"
        )
    switches = _switch("class", words.MAP, sides)
    if len(witnesses) > 1:
        switches += _switch("witness", words.SEEN_BY, witnesses)
    return (
        "<div class='rc-viewer'><div class='rc-stage'>"
        f"<img class='rc-picture' src='{data_url(answer.picture)}' "
        f"alt='{words.EXAMINED}'>{''.join(layers)}"
        "<input class='rc-wipe' type='range' min='0' max='100' value='100' "
        f"aria-label='{words.UNCOVER}' aria-valuetext='100{words.OF_ALL}' "
        f'oninput="{escape(_WIPE.format(words.OF_ALL))}">'
        "<i class='rc-handle'></i><i class='rc-knob' aria-hidden='true'>◂▸</i></div>"
        f"{switches}{_says(sides, ai_class, words.MAP_SAYS[report['verdict']], words)}</div>"
    )


def _says(sides: dict[str, str], ai_class: str, first: str, words: Language) -> str:
    """A line under the map for each side, of which that of the map on show is seen."""
    lines = {name: first if name == ai_class else words.OTHER_MAP_SAYS for name in sides}
    return "".join(
        f"<p class='rc-says' data-class='{escape(name)}'{' hidden' if position else ''}>{line}</p>"
        for position, (name, line) in enumerate(lines.items())
    )


def _strength(report: dict[str, Any], witness: str, name: str) -> float:
    """How sure a witness is of a class: of the others each has its share of what is left."""
    ai_class = report["model"]["ai_class"]
    (p_ai_,) = (said["p_ai"] for said in report["witnesses"] if said["name"] == witness)
    if name == ai_class:
        return float(p_ai_)
    left = 1 - p_ai(report)
    return float((1 - p_ai_) * (report["probabilities"][name] / left if left else 1))


def _named(witness: str, words: Language) -> str:
    """A witness by the name that its readers know it by."""
    return escape(words.WITNESSES.get(witness, witness))


def _switch(of: str, legend: str, options: dict[str, str]) -> str:
    """Which of the maps to show; the first option is chosen."""
    labels = [
        f"<label><input type='radio' name='rc-{of}' data-of='{of}' value='{escape(value)}'"
        f'{"" if position else " checked"} onchange="{_CHOOSE}"> {text}</label>'
        for position, (value, text) in enumerate(options.items())
    ]
    inner = f"<legend>{legend}</legend>{''.join(labels)}"
    return f"<fieldset class='rc-sides rc-of-{of}'>{inner}</fieldset>"


# A choice is kept on the viewer: radio buttons of other viewers on the page share their names.
_CHOOSE = escape(
    "const viewer = this.closest('.rc-viewer'), maps = [...viewer.querySelectorAll('.rc-map')];"
    "const shown = { ...maps.find(map => !map.hidden).dataset, [this.dataset.of]: this.value };"
    "maps.forEach(map => { map.hidden = map.dataset.class !== shown.class "
    "|| map.dataset.witness !== shown.witness });"
    "viewer.querySelectorAll('.rc-says').forEach(line => {"
    "line.hidden = line.dataset.class !== shown.class })"
)
_WIPE = (
    "this.closest('.rc-stage').style.setProperty('--rc-cut', this.value + '%');"
    "this.setAttribute('aria-valuetext', this.value + '{}')"
)


def data_url(image: bytes) -> str:
    """A JPEG or WebP as the source of an `img`."""
    kind = "webp" if image[8:12] == b"WEBP" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def evidence(report: dict[str, Any], words: Language = ENGLISH) -> str:
    """Cards beside the verdict's, in the order of reading: the file, the parts, the doubts.

    Args:
        report: of `Prediction.report`.
        words: the reader's.
    """
    cards = _origin(report, words), _leans(report, words), _caveats(report, words)
    return f"<div class='rc-evidence'>{''.join(cards)}</div>"


def _card(title: str, content: str) -> str:
    return f"<section class='rc-card'><h3>{title}</h3>{content}</section>"


def _caveats(report: dict[str, Any], words: Language) -> str:
    """Why this answer might be wrong; "" where nothing is known that speaks against it."""
    reasons = [words.said(reason) for reason in report["warnings"]]
    if not report["model"]["calls"]:
        reasons.append(words.NEVER_MEASURED)
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return _card(words.DOUBT, f"<ul>{items}</ul>") if items else ""


def _origin(report: dict[str, Any], words: Language) -> str:
    """What the file says about where it comes from; a quiet line where it says nothing."""
    unread = "" if provenance.reads_credentials() else f" {words.UNREAD}"
    items = [
        f"<li>{escape(words.said(finding['says']))} "
        f"<small>{words.FOUND_IN.format(escape(finding['where']))} "
        f"{escape(words.said(finding['trust']))}</small></li>"
        for finding in report["provenance"]
    ]
    if not items:
        return f"<p class='rc-quiet'>{words.NOTHING}{unread}</p>"
    more = "".join(items[SHOWN:])
    folded = (
        f"<details><summary>{words.SAYS_MORE}</summary><ul>{more}</ul></details>" if more else ""
    )
    found = f"<ul>{''.join(items[:SHOWN])}</ul>{folded if more else ''}"
    return _card(words.FILE_SAYS, f"{found}<p class='rc-small'>{words.UNMOVED}{unread}</p>")


def _leans(report: dict[str, Any], words: Language) -> str:
    """Where what was looked at leans, and whether it agrees.

    A line for each witness where there are several, else one for each kind of part.
    """
    rule, views, witnesses = report["model"]["thresholds"], report["views"], report["witnesses"]
    of, named = ("witness", words.WITNESSES) if len(witnesses) > 1 else ("kind", words.VIEWS)
    parts: dict[str, list[float]] = {}
    for view in views:
        parts.setdefault(view[of], []).append(view["p_ai"])
    if not parts:
        return ""
    if of == "witness":
        wholes = {said["name"]: said["p_ai"] for said in witnesses}
        compared = list(wholes.values())
        title, agree, disagree = (
            words.WITNESSES_SAY,
            words.WITNESSES_AGREE,
            words.WITNESSES_DISAGREE,
        )
    else:
        wholes = {kind: sum(shares) / len(shares) for kind, shares in parts.items()}
        compared = [view["p_ai"] for view in views]
        title, agree, disagree = words.LEAN, words.AGREE, words.DISAGREE
    lines = []
    for name, whole in wholes.items():
        dots = "".join(f"<b style='left:{100 * share:.0f}%'></b>" for share in parts[name])
        lines.append(
            f"<li>{escape(named.get(name, name))}: {words.LEANS[_lean(whole, rule)]}"
            f"<span class='rc-mini' aria-hidden='true'>{dots}</span></li>"
        )
    leans = {_lean(share, rule) for share in compared}
    said = agree if len(leans) == 1 else words.UNCLEAR
    if {"ai", "real"} <= leans:
        said = disagree
    if leans == {"uncertain"} or len(compared) == 1:
        said = ""
    return _card(title, f"<ul>{''.join(lines)}</ul><p>{said}</p>")


def _lean(share: float, rule: dict[str, float]) -> str:
    if share >= rule["ai"]:
        return "ai"
    return "real" if share <= rule["real"] else "uncertain"


def perturbed(rows: list[dict[str, Any]], model: dict[str, Any], words: Language = ENGLISH) -> str:
    """The verdict under each change, as a sentence and a table with bars.

    Args:
        rows: of `Service.check_perturbed`.
        model: of `Checkpoint.describe`.
        words: the reader's.
    """
    first, *changed = rows
    fallen = [
        words.PERTURBATIONS[row["condition"]]
        for row in changed
        if row["verdict"] != first["verdict"]
    ]
    if fallen:
        sentence = words.CHANGES.format(len(fallen), len(changed), ", ".join(fallen))
    else:
        sentence = words.UNCHANGED.format(len(changed))
    lines = []
    for row in rows:
        answer = {**row, "model": model}
        share = "" if withheld(answer) else f"{100 * p_ai(answer):.0f}"
        bar = f"<div style='width:{share}%'></div>" if share else ""
        lines.append(
            f"<tr><th scope='row'>{words.PERTURBATIONS[row['condition']]}</th>"
            f"<td class='rc-bar'>{bar}</td><td>{share}</td>"
            f"<td>{words.VERDICT_NAMES[row['verdict']]}</td></tr>"
        )
    heads = "".join(
        f"<th scope='col' colspan='{width}'>{name}</th>"
        for name, width in zip(words.COPIES, (1, 2, 1), strict=True)
    )
    return f"<p>{sentence}</p>" + scrolling(f"<tr>{heads}</tr>{''.join(lines)}", words)


def survival(rows: list[dict[str, Any]], model: dict[str, Any], words: Language = ENGLISH) -> str:
    """`perturbed` as a card of its own."""
    return _card(words.SURVIVAL, perturbed(rows, model, words))
