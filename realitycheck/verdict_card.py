"""The verdict as a card: page, batch, report and notebook all show this one. Needs no torch.

Everything on it comes from `Prediction.report`. Where a verdict is withheld although the
probability lies outside the uncertain band, the band covers the whole scale and no number is shown:
a number would say what the headline does not.
"""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from realitycheck.results import Confusion
from realitycheck.wording import ENGLISH, Language

CSS = Path(__file__).with_suffix(".css")
STRONG = 5  # times less doubt than a verdict needs: "very likely"
ENOUGH = 30  # pictures behind a number of track record
# Shares of AI pictures that can be chosen, in thousandths.
BASE_RATES = (1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950, 990)
CHOSEN = BASE_RATES.index(100)

Report = Mapping[str, Any]  # of `Prediction.report`


def p_ai(report: Report) -> float:
    """The picture's AI probability, in [0, 1]."""
    return float(report["probabilities"][report["model"]["ai_class"]])


def zone(report: Report) -> str:
    """Where on the scale the verdict lies: a key of `wording.HEADLINES`.

    Only a checkpoint whose verdicts were measured calls anything very likely.

    Args:
        report: of `Prediction.report`.
    """
    verdict: str = report["verdict"]
    share, rule = p_ai(report), report["model"]["thresholds"]
    if report["model"]["calls"]:
        if verdict == "ai" and STRONG * (1 - share) <= 1 - rule["ai"]:
            return "ai-strong"
        if verdict == "real" and STRONG * share <= rule["real"]:
            return "real-strong"
    return verdict


def headline(report: Report, words: Language = ENGLISH) -> str:
    """The verdict in a sentence, by zone."""
    sentence: str = words.HEADLINES[zone(report)]
    return sentence


def withheld(report: Report) -> bool:
    """Whether there is no verdict for another reason than the probability."""
    rule = report["model"]["thresholds"]
    return report["verdict"] == "uncertain" and not rule["real"] < p_ai(report) < rule["ai"]


def card(report: Report, words: Language = ENGLISH) -> str:
    """The verdict, its scale, its track record and the next step, as HTML.

    Args:
        report: of `Prediction.report`.
        words: the reader's.
    """
    verdict = report["verdict"]
    record = track_record(verdict, report["model"]["calls"], words)
    told = f"<p>{record}</p>" if record else ""
    return (
        f"<div class='rc-card rc-verdict rc-{verdict}'><h2>{headline(report, words)}</h2>"
        f"{_scale(report, words)}{_family(report, words)}{told}"
        f"<p><strong>{words.WHAT_NOW}</strong> {words.NEXT_STEPS[verdict]}</p>"
        f"{_base_rate(verdict, report['model']['calls'].get('clean'), words)}</div>"
    )


def resembles(report: Report, words: Language = ENGLISH) -> str:
    """Which family of generators the picture resembles; "" where none is named.

    Args:
        report: of `Prediction.report`; of an older version it may lack the family.
        words: the reader's.
    """
    family = report.get("family")
    if not family:
        return ""
    # At most 99: nothing is certain.
    percent = min(99, int(100 * family["probability"]))
    return str(words.FAMILY.format(family["name"], percent))


def _family(report: Report, words: Language) -> str:
    says = escape(resembles(report, words))
    return f"<p class='rc-small'>{says}</p>" if says else ""


def mark(report: Report) -> int | None:
    """Where a picture stands on the scale, of 100 towards AI-made, on its verdict's side.

    Returns:
        From 1 to 99, for nothing is certain; None where there is no call for another reason than
        the number.
    """
    if withheld(report):
        return None
    return _outside(min(99, max(1, round(100 * p_ai(report)))), *_band(report), report["verdict"])


def _band(report: Report) -> tuple[int, int]:
    """Between which numbers of 100 there is no call."""
    rule = report["model"]["thresholds"]
    return round(100 * rule["real"]), round(100 * rule["ai"])


def _scale(report: Report, words: Language) -> str:
    """The scale between both ends, its band without calls and, inside it, where the picture is."""
    at, (low, high) = mark(report), _band(report)
    if at is None:
        reason = words.said(report["warnings"][0]) if report["warnings"] else words.TOO_HARD
        said, marker, low, high = words.NO_CALL.format(reason), "", 0, 100
    else:
        said = words.NO_CALL_BETWEEN.format(words.PLACE.format(at), low, high)
        marker = f"<b class='rc-marker' style='left:{at}%'></b>"
    ends = words.ENDS
    return (
        f"<div class='rc-scale' style='--rc-low:{low}%;--rc-high:{high}%'>"
        f"<div class='rc-track' role='img' "
        f"aria-label='{escape(words.SCALE.format(*ends, said))}'><i></i>{marker}</div>"
        f"<div class='rc-ends' aria-hidden='true'><span>{ends[0]}</span><span>{ends[1]}</span>"
        f"</div></div><p class='rc-small'>{escape(said)}</p>"
    )


def _outside(at: int, low: int, high: int, verdict: str) -> int:
    """The marker's place on the side of the threshold on which the verdict lies, rounded or not."""
    if verdict == "ai":
        return max(at, high)
    if verdict == "real":
        return min(at, low)
    return min(max(at, low + 1), high - 1) if high - low > 1 else at


def track_record(verdict: str, calls: Mapping[str, Confusion], words: Language = ENGLISH) -> str:
    """How such verdicts fared where training had seen nothing like it; "" where nobody knows.

    Args:
        verdict: "ai", "real" or "uncertain".
        calls: of `track_record.track_record`.
        words: the reader's.
    """
    counts = {name: _per_hundred(verdict, counts) for name, counts in calls.items()}
    clean, web = counts.get("clean"), counts.get("web")
    if clean is None:
        return ""
    re_saved = "" if web is None else words.RE_SAVED.format(web)
    says = words.NO_CALLS if verdict == "uncertain" else words.CALLS_RIGHT
    return str(says.format(clean, re_saved))


def _per_hundred(verdict: str, counts: Confusion) -> int | None:
    """Of 100 such verdicts, how many were right; of 100 pictures, how many were left open."""
    given = sum(called.get(verdict, 0) for called in counts.values())
    if verdict == "uncertain":
        pictures = sum(sum(called.values()) for called in counts.values())
        return round(100 * given / pictures) if pictures >= ENOUGH else None
    # Rounded down, and never to all: rare mistakes are not none.
    return min(99, 100 * counts[verdict].get(verdict, 0) // given) if given >= ENOUGH else None


def really(base_rate: float, hits: float, alarms: float) -> float:
    """The share of a verdict's pictures that are what it says, by Bayes' rule.

    Args:
        base_rate: share of such pictures among those that are checked, in [0, 1].
        hits: share of them that get the verdict.
        alarms: share of the others that get it.
    """
    found = base_rate * hits
    return found / (found + (1 - base_rate) * alarms) if found else 0.0


def _base_rate(verdict: str, counts: Confusion | None, words: Language) -> str:
    """A control, folded away: how much the verdict is worth where AI pictures are as common."""
    if counts is None or _per_hundred(verdict, counts) is None:
        return ""
    shares = {
        kind: called.get(verdict, 0) / sum(called.values()) for kind, called in counts.items()
    }
    is_ai = verdict != "real"
    hits, alarms = (shares[kind] for kind in (("ai", "real") if is_ai else ("real", "ai")))
    sentences = []
    for rate in BASE_RATES:
        common = rate / 1000 if is_ai else 1 - rate / 1000
        worth = min(99, int(100 * really(common, hits, alarms)))
        sentences.append(words.BASE_RATES_SAY[verdict].format(base_rate(rate, words), worth))
    chosen = slider(words.SHARE_IN_CARD, sentences, CHOSEN)
    return f"<details><summary>{words.BASE_RATE}</summary>{chosen}</details>"


def slider(label: str, sentences: list[str], chosen: int) -> str:
    """A slider that says a sentence at each of its places, as HTML.

    Args:
        label: what is chosen, for screen readers.
        sentences: one for each place.
        chosen: place at the beginning.
    """
    return (
        f"<input type='range' min='0' max='{len(sentences) - 1}' value='{chosen}' "
        f"aria-label='{escape(label)}' aria-valuetext='{escape(sentences[chosen])}' "
        f"data-says='{escape(json.dumps(sentences))}' oninput=\"{_SAY}\">"
        f"<output>{escape(sentences[chosen])}</output>"
    )


def base_rate(thousandths: int, words: Language = ENGLISH) -> str:
    """A share of `BASE_RATES` in words."""
    if thousandths % 10:
        return str(words.OF_THOUSAND.format(thousandths))
    return str(words.OF_HUNDRED.format(thousandths // 10))


_SAY = escape(
    "const says = JSON.parse(this.dataset.says)[this.value];"
    "this.setAttribute('aria-valuetext', says);"
    "this.parentNode.querySelector('output').textContent = says"
)


def styled(report: Report) -> str:
    """The card with its styles, for places that have none, such as a notebook."""
    return f"<style>{CSS.read_text(encoding='utf-8')}</style>{card(report)}"
