"""Many pictures as HTML and words: the tab's frame, a picture's tile, and its answer in full.

Every text that comes from outside (file names, metadata) is escaped here, or left to the browser
as text.
"""

import json
from html import escape
from typing import Any

from realitycheck import images, verdict_card
from realitycheck.images.provenance import Finding, summary
from realitycheck.web import answer_html
from realitycheck.web.triage_kept import Kept
from realitycheck.wording import ENGLISH, Language

THUMBNAIL = 256  # px, long side
UNREAD = "unread"  # what is neither verdict
SAID = "said"  # an AI, by what the file says


def frame(most: int, lanes: int, words: Language = ENGLISH) -> str:
    """The tab before anything was dropped; `static/batch.js` fills it.

    Args:
        most: pictures at once.
        lanes: how many of one visitor are on their way at a time.
        words: the reader's.
    """
    says = words.MANY
    chips = "".join(
        f"<button type='button' class='rc-chip' data-kind='{kind}' "
        f"aria-pressed='{'true' if kind == 'all' else 'false'}'>{name} <b>0</b></button>"
        for kind, name in words.CHIPS.items()
    )
    data = {
        "most": most,
        "lanes": lanes,
        "maxBytes": images.MAX_BYTES,
        "suffixes": sorted(images.SUFFIXES),
        "badges": words.CHIPS,
        "counted": words.COUNTED,
        "words": words.WORDS,
        "point": words.point,
    }
    return (
        f"<div class='rc-triage' data-triage='{escape(json.dumps(data), quote=True)}'>"
        "<label class='rc-drop'><input type='file' multiple>"
        f"<strong>{says['drop'].format(most)}</strong><span>{says['begins']}</span>"
        f"<strong class='rc-more'>{says['more']}</strong></label>"
        "<p class='rc-note' role='alert' hidden></p>"
        "<div class='rc-bench' hidden>"
        f"<div class='rc-done'><progress value='0' max='1' aria-label='{says['checked']}'>"
        "</progress>"
        "<p class='rc-count'></p></div>"
        f"<div class='rc-chips' role='group' aria-label='{says['show']}'>{chips}</div>"
        "<div class='rc-acts'>"
        f"<button type='button' class='rc-pack'>{says['download']}</button>"
        f"<button type='button' class='rc-anew'>{says['anew']}</button></div>"
        "<p class='rc-packed' role='status'></p>"
        "<p class='rc-heard' role='status'></p>"
        f"<ul class='rc-grid' role='list' aria-label='{says['grid']}'></ul>"
        f"<p class='rc-none' hidden>{says['none']}</p></div>"
        "<dialog class='rc-opened' aria-labelledby='rc-opened-name'>"
        "<div class='rc-bar-top'><h2 id='rc-opened-name' tabindex='-1'></h2>"
        "<span class='rc-place'></span>"
        f"<button type='button' class='rc-before' aria-label='{says['before']}'>◂</button>"
        f"<button type='button' class='rc-next' aria-label='{says['next']}'>▸</button>"
        f"<button type='button' class='rc-close' aria-label='{says['close']}'>✕</button></div>"
        "<div class='rc-inside'></div>"
        f"<button type='button' class='rc-again' hidden>{says['again']}</button>"
        "</dialog></div>"
    )


def tile(kept: Kept, words: Language = ENGLISH) -> dict[str, Any]:
    """What the browser shows of a picture in the grid.

    Returns:
        `file`; `kind`, a verdict or `UNREAD`; `said`, whether the file says that an AI made it;
        `reason`, a short text; `suspicion`, by which tiles are sorted, the highest first; and
        `thumbnail`, the source of an `img`, or "".
    """
    if kept.answer is None:
        return {
            "file": kept.file,
            "kind": UNREAD,
            "said": False,
            "reason": words.said(kept.error),
            "suspicion": -1.0,
            "thumbnail": "",
        }
    report = kept.answer.report
    said = any(finding["points_to"] == "ai" for finding in report["provenance"])
    return {
        "file": kept.file,
        "kind": report["verdict"],
        "said": said,
        "reason": _reason(report, said, words),
        "suspicion": _suspicion(report, said),
        "thumbnail": answer_html.thumbnail(kept.answer.picture, THUMBNAIL),
    }


def _suspicion(report: dict[str, Any], said: bool) -> float:
    """What the file says comes first, then the verdict, then where on the scale it lies."""
    # A number that is not shown for want of a call would be told by its place.
    share = 0.5 if verdict_card.withheld(report) else verdict_card.p_ai(report)
    return 3.0 * said + {"ai": 2, "uncertain": 1, "real": 0}[report["verdict"]] + share


def _reason(report: dict[str, Any], said: bool, words: Language) -> str:
    if said:
        return summary([Finding(**finding) for finding in report["provenance"]], words)
    at = verdict_card.mark(report)
    if at is not None:
        return str(words.PLACE.format(at))
    if report["warnings"]:
        return words.said(report["warnings"][0])
    return verdict_card.headline(report, words)


def opened(kept: Kept, words: Language = ENGLISH) -> str:
    """One answer of many in full: the verdict's card, the map, and what else is known."""
    if kept.answer is None:
        return answer_html.error(kept.error, words)
    report = kept.answer.report
    # A form of its own: the switch of its map is none of the other tab's.
    return (
        f"<form class='rc-full'>{verdict_card.card(report, words)}"
        f"{answer_html.viewer(kept.answer, words)}{answer_html.evidence(report, words)}</form>"
    )
