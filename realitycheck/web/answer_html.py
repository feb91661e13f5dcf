"""An answer as HTML: what the web page and the report that is saved from it both show.

Every text that comes from outside (file names, metadata, class names) is escaped here.
"""

import base64
from html import escape
from typing import Any

from realitycheck.images import provenance
from realitycheck.web.answer import Answer
from realitycheck.web.html_tables import scrolling
from realitycheck.wording import CAPTION, NOTHING, PERTURBATIONS, UNMOVED, UNREAD


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


def caveats(report: dict[str, Any]) -> str:
    """Why this answer might be wrong; "" where nothing is known that speaks against it.

    Args:
        report: of `Prediction.report`.
    """
    reasons = list(report["warnings"])
    if not report["model"]["calls"]:
        reasons.append("How often this checkpoint is wrong was never measured.")
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f"<h3>Why you might doubt this</h3><ul>{items}</ul>" if items else ""


def origin(report: dict[str, Any]) -> str:
    """What the file says about where it comes from."""
    items = "".join(
        f"<li>{escape(finding['says'])} <em>Found in {escape(finding['where'])}. "
        f"{escape(finding['trust'])}</em></li>"
        for finding in report["provenance"]
    )
    found = f"<ul>{items}</ul>" if items else f"<p>{escape(NOTHING)}</p>"
    unread = "" if provenance.reads_credentials() else f" {UNREAD}"
    return f"<h3>What the file says</h3>{found}<p>{UNMOVED}{unread}</p>"


def perturbed(rows: list[dict[str, Any]], ai_class: str) -> str:
    """The AI probability and verdict under each change, as a table with bars and a sentence.

    Args:
        rows: of `Service.check_perturbed`.
        ai_class: name of the class made by an AI.
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
        share = 100 * row["probabilities"][ai_class]
        lines.append(
            f"<tr><th scope='row'>{PERTURBATIONS[row['condition']]}</th>"
            f"<td class='rc-bar'><div style='width:{share:.0f}%'></div></td>"
            f"<td>{share:.0f}&nbsp;%</td><td>{escape(row['verdict'])}</td></tr>"
        )
    heads = "".join(
        f"<th scope='col' colspan='{width}'>{name}</th>"
        for name, width in (("Copy", 1), ("AI probability", 2), ("Verdict", 1))
    )
    return f"<p>{sentence}</p>" + scrolling(f"<tr>{heads}</tr>{''.join(lines)}")
