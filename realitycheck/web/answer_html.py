"""An answer as HTML: what the web page and the report that is saved from it both show.

Every text that comes from outside (file names, metadata, class names) is escaped here.
"""

import base64
from html import escape
from typing import Any

from realitycheck.images import provenance
from realitycheck.verdict_card import p_ai, withheld
from realitycheck.web.answer import Answer
from realitycheck.web.html_tables import scrolling
from realitycheck.wording import (
    AGREE,
    CAPTION,
    DISAGREE,
    ENDS,
    LEANS,
    NOTHING,
    PERTURBATIONS,
    SURVIVAL,
    UNCLEAR,
    UNMOVED,
    UNREAD,
    VIEWS,
)

SHOWN = 2  # findings in a file, before the others are folded away


def viewer(answer: Answer) -> str:
    """The picture under its maps: a wipe between both, the map's strength, a choice of class.

    Args:
        answer: of `Service.check`.
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
        "<p class='rc-legend'>low <span aria-hidden='true'></span> high</p>"
        f"<p>{CAPTION}</p></div>"
    )


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


def evidence(report: dict[str, Any]) -> str:
    """Cards beside the verdict's, in the order of reading: the file, the parts, the doubts.

    Args:
        report: of `Prediction.report`.
    """
    return f"<div class='rc-evidence'>{_origin(report)}{_parts(report)}{_caveats(report)}</div>"


def _card(title: str, content: str) -> str:
    return f"<section class='rc-card'><h3>{title}</h3>{content}</section>"


def _caveats(report: dict[str, Any]) -> str:
    """Why this answer might be wrong; "" where nothing is known that speaks against it."""
    reasons = list(report["warnings"])
    if not report["model"]["calls"]:
        reasons.append("How often this checkpoint is wrong was never measured.")
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return _card("Why you might doubt this", f"<ul>{items}</ul>") if items else ""


def _origin(report: dict[str, Any]) -> str:
    """What the file says about where it comes from; a quiet line where it says nothing."""
    unread = "" if provenance.reads_credentials() else f" {UNREAD}"
    items = [
        f"<li>{escape(finding['says'])} <small>Found in {escape(finding['where'])}. "
        f"{escape(finding['trust'])}</small></li>"
        for finding in report["provenance"]
    ]
    if not items:
        return f"<p class='rc-quiet'>{NOTHING}{unread}</p>"
    more = "".join(items[SHOWN:])
    folded = f"<details><summary>More of it</summary><ul>{more}</ul></details>" if more else ""
    found = f"<ul>{''.join(items[:SHOWN])}</ul>{folded}"
    return _card("What the file says", f"{found}<p class='rc-small'>{UNMOVED}{unread}</p>")


def _parts(report: dict[str, Any]) -> str:
    """Where the parts that were looked at lean, a line for each kind, and whether they agree."""
    rule = report["model"]["thresholds"]
    kinds: dict[str, list[float]] = {}
    for view in report["views"]:
        kinds.setdefault(view["kind"], []).append(view["p_ai"])
    if not kinds:
        return ""
    lines = []
    for kind, shares in kinds.items():
        lean = _lean(sum(shares) / len(shares), rule)
        dots = "".join(f"<b style='left:{100 * share:.0f}%'></b>" for share in shares)
        lines.append(
            f"<li>{escape(VIEWS.get(kind, kind))}: {LEANS[lean]}"
            f"<span class='rc-mini' aria-hidden='true'>{dots}</span></li>"
        )
    leans = {_lean(share, rule) for shares in kinds.values() for share in shares}
    said = DISAGREE if {"ai", "real"} <= leans else AGREE if len(leans) == 1 else UNCLEAR
    if leans == {"uncertain"}:
        said = ""
    ends = f"<p class='rc-ends' aria-hidden='true'><span>{ENDS[0]}</span><span>{ENDS[1]}</span></p>"
    return _card("How its parts lean", f"<ul>{''.join(lines)}</ul>{ends}<p>{said}</p>")


def _lean(share: float, rule: dict[str, float]) -> str:
    if share >= rule["ai"]:
        return "ai"
    return "real" if share <= rule["real"] else "uncertain"


def perturbed(rows: list[dict[str, Any]], model: dict[str, Any]) -> str:
    """The verdict under each change, as a sentence and a table with bars.

    Args:
        rows: of `Service.check_perturbed`.
        model: of `Checkpoint.describe`.
    """
    first, *changed = rows
    fallen = [
        PERTURBATIONS[row["condition"]] for row in changed if row["verdict"] != first["verdict"]
    ]
    if fallen:
        sentence = f"The verdict changes in {len(fallen)} of {len(changed)}: {', '.join(fallen)}."
    else:
        sentence = f"The verdict is the same in all {len(changed)} changed copies."
    lines = []
    for row in rows:
        answer = {**row, "model": model}
        share = "" if withheld(answer) else f"{100 * p_ai(answer):.0f}"
        bar = f"<div style='width:{share}%'></div>" if share else ""
        lines.append(
            f"<tr><th scope='row'>{PERTURBATIONS[row['condition']]}</th>"
            f"<td class='rc-bar'>{bar}</td><td>{share}</td><td>{escape(row['verdict'])}</td></tr>"
        )
    heads = "".join(
        f"<th scope='col' colspan='{width}'>{name}</th>"
        for name, width in (("Copy", 1), ("Towards AI-made, of 100", 2), ("Verdict", 1))
    )
    return f"<p>{sentence}</p>" + scrolling(f"<tr>{heads}</tr>{''.join(lines)}")


def survival(rows: list[dict[str, Any]], model: dict[str, Any]) -> str:
    """`perturbed` as a card of its own."""
    return _card(SURVIVAL, perturbed(rows, model))
