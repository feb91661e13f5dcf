"""What is known of the model, as HTML."""

from collections.abc import Mapping
from html import escape
from typing import Any

from realitycheck.results import Confusion, Groups, Interval, Measurements, Record, Verdicts
from realitycheck.tables import most_accused, plain_table, training_tables
from realitycheck.verdict_card import BASE_RATES as CHOICES
from realitycheck.verdict_card import CHOSEN, base_rate, really, slider
from realitycheck.web.html_tables import table
from realitycheck.wording import FLAGGED, IN_SHORT, LIMITS, SETS, SHARE, sets_meant

BASE_RATES = (0.01, 0.1, 0.5)
ENOUGH = 100  # pictures behind a figure of the maps


def limits() -> str:
    """How far to trust any answer."""
    return "<ul>" + "".join(f"<li>{sentence}</li>" for sentence in LIMITS) + "</ul>"


def model(found: dict[str, Any]) -> str:
    """Which checkpoint answers.

    Args:
        found: of `Checkpoint.describe`.
    """
    where = found["source"] + (f" @ {found['revision'][:12]}" if found["revision"] else "")
    return (
        f"<p><code>{escape(where)}</code>, version {escape(found['version'])}, "
        f"{escape(found['arch'])}, SHA-256 <code>{found['sha256'][:12]}</code>.</p>"
    )


def in_short(calls: Mapping[str, Confusion]) -> str:
    """How the checkpoint's verdicts fared, in whole numbers; "" where that was not measured.

    Args:
        calls: of `track_record.track_record`.
    """
    if "clean" not in calls:
        return ""
    ai, real = (_hundred(calls["clean"], truth) for truth in ("ai", "real"))
    sentences = [IN_SHORT[0].format(**ai), IN_SHORT[1].format(**real)]
    if "web" in calls:
        ai, real = (_hundred(calls["web"], truth) for truth in ("ai", "real"))
        sentences.append(IN_SHORT[2].format(alarms=real["wrong"], misses=ai["wrong"]))
    return f"<p>{' '.join(sentences)}</p>"


def _hundred(counts: Confusion, truth: str) -> dict[str, int | str]:
    """Of 100 pictures of a kind, how many were called rightly and wrongly and left open."""
    called, other = counts[truth], "real" if truth == "ai" else "ai"
    pictures = sum(called.values())
    right, wrong = (int(100 * called.get(v, 0) / pictures + 0.5) for v in (truth, other))
    few = "fewer than 1" if called.get(other) and not wrong else wrong
    return {"right": right, "wrong": few, "open": 100 - right - wrong}


def figures(metrics: Measurements) -> str:
    """The checkpoint's measured figures as a table; less usual conditions behind a click."""
    if not metrics:
        return "<p>No accuracy was measured for this checkpoint.</p>"
    heads, usual = plain_table(metrics, usual=True)
    _, others = plain_table(metrics, usual=False)
    explained = f"<p>Percent, in brackets 95 % intervals.{sets_meant(metrics)}</p>"
    if not usual or not others:
        return table(heads, usual or others) + explained
    more = f"<details><summary>After other changes</summary>{table(heads, others)}</details>"
    return table(heads, usual) + explained + more


def maps(explanations: dict[str, Groups]) -> str:
    """How the maps did when they were tested, beside maps of random noise.

    Args:
        explanations: of the checkpoint's record, by set.
    """
    sentences = []
    for name in _large({name: found["deletion"] for name, found in explanations.items()}):
        found = explanations[name]
        fall, noise = (100 * found[key].value for key in ("deletion", "deletion_random"))
        those = SETS.get(name, f"of the set “{name}”")
        sentences.append(
            f"<p>The maps were tested on pictures {escape(those)}: where a piece of an AI picture "
            f"was pasted over a quarter of a photograph ({found['patch'].count} of them), "
            f"{found['patch'].value:.0%} of the map lay on it "
            f"({found['patch_before'].value:.0%} before, "
            f"{found['patch_random'].value:.0%} of a random map). Blurring what the map marks "
            f"rather than the rest, in {found['deletion'].count} pictures, lowered the score by "
            f"{fall:.1f} points (random map: {noise:.1f}).</p>"
        )
    return "".join(sentences)


def _large(figures: dict[str, Interval]) -> list[str]:
    """The sets whose figure counts enough pictures to reassure anybody; all, if none does."""
    return [name for name, figure in figures.items() if (figure.count or 0) >= ENOUGH] or [*figures]


def training(record: Record) -> str:
    """Every setting of the checkpoint's training, as tables.

    Args:
        record: of the checkpoint.
    """
    tables = training_tables(record)
    if not tables:
        return "<p>This checkpoint does not say how it was trained.</p>"
    found = "".join(table(heads, rows) for heads, rows in tables)
    return f"<details class='rc-card'><summary>Its training in full</summary>{found}</details>"


def weakest(metrics: Measurements) -> str:
    """The groups of unseen pictures that are judged worst, as a sentence or two."""
    clean = metrics.get("unseen", {}).get("clean")
    if not clean:
        return ""
    named = []
    for members, words in (
        (clean.generators, "generator"),
        (clean.real_sources, "source of real pictures"),
    ):
        groups = {n: f for n, f in members.items() if (f.count or 0) >= 10}
        if groups:
            name = min(groups, key=lambda group: groups[group].value)
            named.append(f"the {words} “{escape(name)}”, {groups[name].percent()} % right")
    said = [f"Worst in “unseen”, clean: {'; '.join(named)}."] if named else []
    accused = [f"{escape(n)} ({f.percent()} %)" for n, f in most_accused(clean).items()]
    if accused:
        said.append(f"Kinds of real pictures most often called AI there: {', '.join(accused)}.")
    return f"<p>{' '.join(said)}</p>" if said else ""


def flagged(base_rate: float, rates: Verdicts) -> tuple[float, float, float]:
    """How many of 100 pictures with the verdict `ai` are really AI (Bayes' rule).

    Args:
        base_rate: share of AI pictures among those that are checked, 0 to 1.
        rates: of a set, with `ai_called_ai`.

    Returns:
        The number, and the lowest and highest that the rates' 95 % intervals allow.
    """
    hit, alarm = rates.ai_called_ai, rates.real_called_ai
    if hit is None:
        raise ValueError("the record does not say how many AI pictures were called `ai`")

    return (
        100 * really(base_rate, hit.value, alarm.value),
        100 * really(base_rate, hit.low, alarm.high),
        100 * really(base_rate, hit.high, alarm.low),
    )


def base_rates(metrics: Measurements) -> str:
    """Of 100 pictures called AI, how many are, at usual shares of AI pictures and a chosen one.

    Args:
        metrics: the checkpoint's figures; those on the set it knows least are used.
    """
    name = "unseen" if "unseen" in metrics else next(iter(metrics), "")
    clean = metrics.get(name, {}).get("clean")
    if clean is None or clean.verdicts.ai_called_ai is None:
        return "<p>Not known: this checkpoint was not measured.</p>"
    rows = []
    for share in BASE_RATES:
        really, low, high = flagged(share, clean.verdicts)
        rows.append((f"{share:.1%}", f"{really:.0f} ({low:.0f}–{high:.0f})"))
    heads = ("Share of AI pictures among those you check", "Of 100 called AI, really AI")
    sentences = [
        FLAGGED.format(base_rate(rate), *flagged(rate / 1000, clean.verdicts)) for rate in CHOICES
    ]
    return (
        table(heads, rows)
        + f"<div class='rc-card'><h3>{SHARE}</h3>{slider(SHARE, sentences, CHOSEN)}</div>"
        + f"<p>With the error rates measured on the set “{name}”.</p>"
    )
