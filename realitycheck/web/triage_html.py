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

THUMBNAIL = 256  # px, long side
UNREAD = "unread"  # what is neither verdict
SAID = "said"  # an AI, by what the file says
CHIPS = {  # in the order of the filters
    "all": "All",
    "ai": "AI",
    "uncertain": "Uncertain",
    "real": "Photograph",
    UNREAD: "Unreadable",
    SAID: "File says AI",
}
WORDS = {  # that the browser fills in
    "progress": "{done} of {all} checked",
    "finished": "{all} checked: {counts}.",
    "waiting": "The server is busy. Your pictures go on by themselves.",
    "offline": "No connection. Trying again.",
    "most": "{most} pictures at most: {left} were left out.",
    "shown": "{count} shown: {name}.",
    "place": "{at} of {all}",
    "lost": "The picture could not be sent. Look at your connection, and check it again.",
    "opening": "Opening the answer …",
    "unopened": "The answer could not be opened. Check the connection and try again.",
    "packing": "Packing {done} of {of} …",
    "packed": "Packed. If the download does not start: ",
    "save": "save {name} ({size} MB)",
    "missing": " {missing} answers are no longer on the server and are not in it.",
    "unpacked": "The files could not be packed. Check the connection and try again.",
}


def frame(most: int, lanes: int) -> str:
    """The tab before anything was dropped; `static/batch.js` fills it.

    Args:
        most: pictures at once.
        lanes: how many of one visitor are on their way at a time.
    """
    chips = "".join(
        f"<button type='button' class='rc-chip' data-kind='{kind}' "
        f"aria-pressed='{'true' if kind == 'all' else 'false'}'>{name} <b>0</b></button>"
        for kind, name in CHIPS.items()
    )
    data = {
        "most": most,
        "lanes": lanes,
        "maxBytes": images.MAX_BYTES,
        "suffixes": sorted(images.SUFFIXES),
        "badges": CHIPS,
        "words": WORDS,
    }
    return (
        f"<div class='rc-triage' data-triage='{escape(json.dumps(data), quote=True)}'>"
        "<label class='rc-drop'><input type='file' multiple>"
        f"<strong>Drop up to {most} pictures or folders here, or choose pictures</strong>"
        "<span>Checking starts at once, and the most suspicious stand first. Pictures and answers "
        "stay on this server for an hour at most.</span>"
        "<strong class='rc-more'>Add more pictures</strong></label>"
        "<p class='rc-note' role='alert' hidden></p>"
        "<div class='rc-bench' hidden>"
        "<div class='rc-done'><progress value='0' max='1' aria-label='Pictures checked'></progress>"
        "<p class='rc-count'></p></div>"
        f"<div class='rc-chips' role='group' aria-label='Show'>{chips}</div>"
        "<div class='rc-acts'>"
        "<button type='button' class='rc-pack'>Download all (zip)</button>"
        "<button type='button' class='rc-anew'>Start over</button></div>"
        "<p class='rc-packed' role='status'></p>"
        "<p class='rc-heard' role='status'></p>"
        "<ul class='rc-grid' role='list' aria-label='Pictures, the most suspicious first. Arrow "
        "keys move, Enter opens.'></ul>"
        "<p class='rc-none' hidden>No picture here is of this kind.</p></div>"
        "<dialog class='rc-opened' aria-labelledby='rc-opened-name'>"
        "<div class='rc-bar-top'><h2 id='rc-opened-name' tabindex='-1'></h2>"
        "<span class='rc-place'></span>"
        "<button type='button' class='rc-before' aria-label='Picture before'>◂</button>"
        "<button type='button' class='rc-next' aria-label='Next picture'>▸</button>"
        "<button type='button' class='rc-close' aria-label='Close'>✕</button></div>"
        "<div class='rc-inside'></div>"
        "<button type='button' class='rc-again' hidden>Check this picture again</button>"
        "</dialog></div>"
    )


def tile(kept: Kept) -> dict[str, Any]:
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
            "reason": kept.error,
            "suspicion": -1.0,
            "thumbnail": "",
        }
    report = kept.answer.report
    said = any(finding["points_to"] == "ai" for finding in report["provenance"])
    return {
        "file": kept.file,
        "kind": report["verdict"],
        "said": said,
        "reason": _reason(report, said),
        "suspicion": _suspicion(report, said),
        "thumbnail": answer_html.thumbnail(kept.answer.picture, THUMBNAIL),
    }


def _suspicion(report: dict[str, Any], said: bool) -> float:
    """What the file says comes first, then the verdict, then where on the scale it lies."""
    # A number that is not shown for want of a call would be told by its place.
    share = 0.5 if verdict_card.withheld(report) else verdict_card.p_ai(report)
    return 3.0 * said + {"ai": 2, "uncertain": 1, "real": 0}[report["verdict"]] + share


def _reason(report: dict[str, Any], said: bool) -> str:
    if said:
        return summary([Finding(**finding) for finding in report["provenance"]])
    at = verdict_card.mark(report)
    if at is not None:
        return f"{at} of 100 towards AI-made"
    reason: str = report["warnings"][0] if report["warnings"] else verdict_card.headline(report)
    return reason


def opened(kept: Kept) -> str:
    """One answer of many in full: the verdict's card, the map, and what else is known."""
    if kept.answer is None:
        return answer_html.error(kept.error)
    report = kept.answer.report
    # A form of its own: the switch of its map is none of the other tab's.
    return (
        f"<form class='rc-full'>{verdict_card.card(report)}"
        f"{answer_html.viewer(kept.answer)}{answer_html.evidence(report)}</form>"
    )
