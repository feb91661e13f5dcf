"""An answer as HTML: what the web page and the report that is saved from it both show.

Every text that comes from outside (file names, metadata, class names) is escaped here.
"""

import base64
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from realitycheck import provenance
from realitycheck.card import LIMITS, SETS, USUAL_CONDITIONS, percent, sets_meant, training_tables
from realitycheck.service import Answer

CSS = Path(__file__).with_name("page.css").read_text(encoding="utf-8")

CAPTION = "Brighter regions raised the score of the chosen class. They are not “fake areas”."
UNMOVED = "None of this moves the probability."
UNREAD = (
    "Content Credentials (C2PA) are not looked for: whoever runs this page can install "
    "requirements-extras.txt."
)
CHANGES = {
    "clean": "as it is",
    "q90": "JPEG, quality 90",
    "q70": "JPEG, quality 70",
    "q50": "JPEG, quality 50",
    "half": "half the size",
    "crop": "cut to the middle",
    "screenshot": "like a screenshot",
}
ENOUGH = 100  # pictures behind a share that stands beside an answer
BASE_RATES = (0.01, 0.1, 0.5)


def headline(report: dict[str, Any], ai_class: str) -> str:
    """The verdict in a sentence with the probability.

    Args:
        report: of `Prediction.report`.
        ai_class: name of the class made by an AI.
    """
    p_ai = report["probabilities"][ai_class]
    verdict = report["verdict"]
    return (
        f"<div class='rc-verdict rc-{escape(verdict)}'><h2>{escape(report['sentence'])}</h2>"
        f"<p>Probability that an AI made it: <strong>{p_ai:.0%}</strong>. Evidence, not "
        "proof.</p></div>"
    )


def viewer(answer: Answer, explanations: dict[str, Any]) -> str:
    """The picture under its maps: a wipe between both, the map's strength, a choice of class.

    Args:
        answer: of `Service.check`.
        explanations: how the checkpoint's maps did, by set.
    """
    radios = "".join(
        f"<label><input type='radio' name='rc-class' value='{escape(name)}'"
        f'{" checked" if name == answer.label else ""} onchange="{_CHOOSE}"> '
        f"{escape(name)}</label>"
        for name in answer.maps
    )
    layers = "".join(
        f"<img class='rc-map' data-class='{escape(name)}' src='{data_url(jpeg)}' "
        f"alt='Map of the regions that raised the score of “{escape(name)}”'"
        f"{'' if name == answer.label else ' hidden'}>"
        for name, jpeg in answer.maps.items()
    )
    return (
        "<div class='rc-viewer'><div class='rc-stage'>"
        f"<img class='rc-picture' src='{data_url(answer.picture)}' "
        f"alt='The picture that was examined'>{layers}</div>"
        f"<div class='rc-controls'><fieldset><legend>Map for class</legend>{radios}</fieldset>"
        f"{_range('Map up to here, from the left', 'cut', 100)}"
        f"{_range('Strength of the map', 'share', 50)}</div>"
        "<p class='rc-scale'>low <span aria-hidden='true'></span> high</p>"
        f"<p>{CAPTION}{_tested_maps(explanations)}</p></div>"
    )


def _tested_maps(explanations: dict[str, Any]) -> str:
    """How the maps did when they were tested, beside maps of random noise."""
    sentences = []
    for name in _large({name: found["deletion"] for name, found in explanations.items()}):
        found = explanations[name]
        fall, noise = (100 * found[key]["value"] for key in ("deletion", "deletion_random"))
        those = SETS.get(name, f"of the set “{name}”")
        sentences.append(
            f" Tested on pictures {escape(those)}: where a piece of an AI picture was pasted over "
            f"a quarter of a photograph ({found['patch']['count']} of them), "
            f"{found['patch']['value']:.0%} of the map lay on it "
            f"({found['patch_before']['value']:.0%} before, "
            f"{found['patch_random']['value']:.0%} of a random map). Blurring what the map marks "
            f"rather than the rest, in {found['deletion']['count']} pictures, lowered the score by "
            f"{fall:.1f} points (random map: {noise:.1f})."
        )
    return "".join(sentences)


_CHOOSE = escape(
    "this.closest('.rc-viewer').querySelectorAll('.rc-map')"
    ".forEach(map => { map.hidden = map.dataset.class !== this.value })"
)


def _range(label: str, variable: str, value: int) -> str:
    move = escape(
        f"this.closest('.rc-viewer').style.setProperty('--rc-{variable}', this.value + '%')"
    )
    return (
        f"<label>{label} <input type='range' min='0' max='100' value='{value}' "
        f'oninput="{move}"></label>'
    )


def data_url(jpeg: bytes) -> str:
    """A JPEG as the source of an `img`."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def doubts(report: dict[str, Any], metrics: dict[str, Any]) -> str:
    """Why this answer might be wrong: what limits it, and how often such answers were wrong.

    Args:
        report: of `Prediction.report`.
        metrics: the checkpoint's figures, by set and condition.
    """
    reasons = [*report["warnings"], *_track_record(report["verdict"], metrics)]
    if not reasons:
        reasons = ["Nothing about this picture stands out, but its checkpoint was never measured."]
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f"<h3>Why you might doubt this</h3><ul>{items}</ul>"


def _track_record(verdict: str, metrics: dict[str, Any]) -> list[str]:
    """How often the same verdict was false on pictures that training never saw."""
    names = {
        "ai": ("real_called_ai", "pictures made by people were called AI"),
        "real": ("ai_called_real", "AI pictures were called real"),
    }
    if verdict not in names:
        return []
    key, words = names[verdict]
    rates = {
        name: conditions["clean"]["verdicts"][key]
        for name, conditions in metrics.items()
        if "clean" in conditions
    }
    return [
        f"When measured, {percent(rates[name])} % of the {words} ({SETS.get(name, name)})."
        for name in _large(rates)
    ]


def _large(figures: dict[str, dict[str, float]]) -> list[str]:
    """The sets whose figure counts enough pictures to reassure anybody; all, if none does."""
    return [name for name, figure in figures.items() if figure["count"] >= ENOUGH] or [*figures]


def origin(report: dict[str, Any]) -> str:
    """What the file says about where it comes from."""
    items = "".join(
        f"<li>{escape(finding['says'])} <em>Found in {escape(finding['where'])}. "
        f"{escape(finding['trust'])}</em></li>"
        for finding in report["provenance"]
    )
    found = f"<ul>{items}</ul>" if items else f"<p>{escape(provenance.NOTHING)}</p>"
    unread = "" if provenance.reads_credentials() else f" {UNREAD}"
    return f"<h3>What the file says</h3>{found}<p>{UNMOVED}{unread}</p>"


def survival(rows: list[dict[str, Any]], ai_class: str) -> str:
    """The AI probability and verdict under each change, as a table with bars and a sentence.

    Args:
        rows: of `Service.survive`.
        ai_class: name of the class made by an AI.
    """
    first, *changed = rows
    fallen = [CHANGES[row["condition"]] for row in changed if row["verdict"] != first["verdict"]]
    if fallen:
        sentence = f"The verdict changes in {len(fallen)} of {len(changed)}: {', '.join(fallen)}."
    else:
        sentence = f"The verdict is the same in all {len(changed)} changed copies."
    lines = []
    for row in rows:
        share = 100 * row["probabilities"][ai_class]
        lines.append(
            f"<tr><th scope='row'>{CHANGES[row['condition']]}</th>"
            f"<td class='rc-bar'><div style='width:{share:.0f}%'></div></td>"
            f"<td>{share:.0f}&nbsp;%</td><td>{escape(row['verdict'])}</td></tr>"
        )
    heads = "".join(
        f"<th scope='col' colspan='{width}'>{name}</th>"
        for name, width in (("Copy", 1), ("AI probability", 2), ("Verdict", 1))
    )
    return f"<p>{sentence}</p>" + _scrolling(f"<tr>{heads}</tr>{''.join(lines)}")


def limits() -> str:
    """How far to trust any answer."""
    return "<ul>" + "".join(f"<li>{sentence}</li>" for sentence in LIMITS) + "</ul>"


# --- about the model --------------------------------------------------------------------------


def model(about: dict[str, Any]) -> str:
    """Which checkpoint answers.

    Args:
        about: of `Service.about`.
    """
    found = about["model"]
    where = found["source"] + (f" @ {found['revision'][:12]}" if found["revision"] else "")
    return (
        f"<p><code>{escape(where)}</code>, version {escape(found['version'])}, "
        f"{escape(found['arch'])}, SHA-256 <code>{found['sha256'][:12]}</code>.</p>"
    )


def figures(metrics: dict[str, Any]) -> str:
    """The checkpoint's measured figures as a table; less usual conditions behind a click."""
    if not metrics:
        return "<p>No accuracy was measured for this checkpoint.</p>"
    usual, others = _measured(metrics, usual=True), _measured(metrics, usual=False)
    heads = ("pictures", "balanced accuracy", "verdict given", "real called AI", "AI called real")
    explained = f"<p>Percent, in brackets 95 % intervals.{sets_meant(metrics)}</p>"
    if not usual or not others:
        return _table(heads, usual or others) + explained
    more = f"<details><summary>After other changes</summary>{_table(heads, others)}</details>"
    return _table(heads, usual) + explained + more


def _measured(metrics: dict[str, Any], *, usual: bool) -> list[tuple[str, ...]]:
    """A row per set and usual, or other, condition."""
    return [
        (
            f"{name}, {condition}",
            percent(values["balanced_accuracy"]),
            percent(values["verdicts"]["decided"]),
            percent(values["verdicts"]["real_called_ai"]),
            percent(values["verdicts"]["ai_called_real"]),
        )
        for name, conditions in metrics.items()
        for condition, values in conditions.items()
        if (condition in USUAL_CONDITIONS) == usual
    ]


def training(about: dict[str, Any]) -> str:
    """Every setting of the checkpoint's training, as tables.

    Args:
        about: of `Service.about`.
    """
    tables = training_tables(about["training"], about["data"])
    if not tables:
        return "<p>This checkpoint does not say how it was trained.</p>"
    return "".join(_table(heads, rows) for heads, rows in tables)


def weakest(metrics: dict[str, Any]) -> str:
    """The groups of unseen pictures that are judged worst, as a sentence."""
    clean = metrics.get("unseen", {}).get("clean")
    if not clean:
        return ""
    named = []
    for key, words in (("generators", "generator"), ("real_sources", "source of real pictures")):
        groups = {n: f for n, f in clean[key].items() if f["count"] >= 10}
        if groups:
            name = min(groups, key=lambda group: groups[group]["value"])
            named.append(f"the {words} “{escape(name)}”, {percent(groups[name])} % right")
    return f"<p>Worst in “unseen”, clean: {'; '.join(named)}.</p>" if named else ""


def flagged(base_rate: float, rates: dict[str, Any]) -> tuple[float, float, float]:
    """How many of 100 pictures with the verdict `ai` are really AI (Bayes' rule).

    Args:
        base_rate: share of AI pictures among those that are checked, 0 to 1.
        rates: "verdicts" of a set's figures, with `ai_called_ai` and `real_called_ai`.

    Returns:
        The number, and the lowest and highest that the rates' 95 % intervals allow.
    """
    hit, alarm = rates["ai_called_ai"], rates["real_called_ai"]

    def really(hits: float, alarms: float) -> float:
        found = base_rate * hits
        return 100 * found / (found + (1 - base_rate) * alarms) if found else 0.0

    return (
        really(hit["value"], alarm["value"]),
        really(hit["low"], alarm["high"]),
        really(hit["high"], alarm["low"]),
    )


def base_rates(metrics: dict[str, Any], chosen: float | None = None) -> str:
    """Of 100 pictures called AI, how many are, at usual shares of AI pictures and a chosen one.

    Args:
        metrics: the checkpoint's figures; those on the set it knows least are used.
        chosen: another share, 0 to 1.
    """
    name = "unseen" if "unseen" in metrics else next(iter(metrics), "")
    rates = metrics.get(name, {}).get("clean", {}).get("verdicts", {})
    if "ai_called_ai" not in rates:
        return "<p>Not known: this checkpoint was not measured.</p>"
    shares = sorted({*BASE_RATES, *([] if chosen is None else [chosen])})
    rows = []
    for share in shares:
        really, low, high = flagged(share, rates)
        rows.append((f"{share:.1%}", f"{really:.0f} ({low:.0f}–{high:.0f})"))
    heads = ("Share of AI pictures among those you check", "Of 100 called AI, really AI")
    return _table(heads, rows) + f"<p>With the error rates measured on the set “{name}”.</p>"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f"<th scope='col'>{escape(head)}</th>" for head in heads)
    body = "".join(
        f"<tr><th scope='row'>{escape(first)}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return _scrolling(f"<tr>{top}</tr>{body}")


def _scrolling(lines: str) -> str:
    # On a phone a table is wider than the page; with a tab stop it scrolls by keyboard too.
    return (
        "<div class='rc-scroll' role='region' aria-label='Table' tabindex='0'>"
        f"<table class='rc-table'>{lines}</table></div>"
    )
