"""What is known of the model, as HTML."""

from collections.abc import Mapping
from html import escape
from typing import Any

from realitycheck.results import Confusion, Groups, Interval, Measurements, Record, Verdicts
from realitycheck.tables import most_accused, plain_table, training_tables
from realitycheck.verdict_card import BASE_RATES as CHOICES
from realitycheck.verdict_card import CHOSEN, base_rate, really, slider
from realitycheck.web.html_tables import table
from realitycheck.wording import ENGLISH, Language, sets_meant

BASE_RATES = (0.01, 0.1, 0.5)
ENOUGH = 100  # pictures behind a figure of the maps


def limits(words: Language = ENGLISH) -> str:
    """How far to trust any answer."""
    return "<ul>" + "".join(f"<li>{sentence}</li>" for sentence in words.LIMITS) + "</ul>"


def model(found: dict[str, Any], words: Language = ENGLISH) -> str:
    """Which checkpoint answers.

    Args:
        found: of `Checkpoint.describe`.
        words: the reader's.
    """
    where = found["source"] + (f" @ {found['revision'][:12]}" if found["revision"] else "")
    return (
        f"<p><code>{escape(where)}</code>, {words.MODEL.format(escape(found['version']))}, "
        f"{escape(found['arch'])}, SHA-256 <code>{found['sha256'][:12]}</code>.</p>"
    )


def in_short(calls: Mapping[str, Confusion], words: Language = ENGLISH) -> str:
    """How the checkpoint's verdicts fared, in whole numbers; "" where that was not measured.

    Args:
        calls: of `track_record.track_record`.
        words: the reader's.
    """
    if "clean" not in calls:
        return ""
    ai, real = (_hundred(calls["clean"], truth, words) for truth in ("ai", "real"))
    sentences = [words.IN_SHORT[0].format(**ai), words.IN_SHORT[1].format(**real)]
    if "web" in calls:
        ai, real = (_hundred(calls["web"], truth, words) for truth in ("ai", "real"))
        sentences.append(words.IN_SHORT[2].format(alarms=real["wrong"], misses=ai["wrong"]))
    return f"<p>{' '.join(sentences)}</p>"


def _hundred(counts: Confusion, truth: str, words: Language) -> dict[str, int | str]:
    """Of 100 pictures of a kind, how many were called rightly and wrongly and left open."""
    called, other = counts[truth], "real" if truth == "ai" else "ai"
    pictures = sum(called.values())
    right, wrong = (int(100 * called.get(v, 0) / pictures + 0.5) for v in (truth, other))
    few = words.FEW if called.get(other) and not wrong else wrong
    return {"right": right, "wrong": few, "open": 100 - right - wrong}


def figures(metrics: Measurements, words: Language = ENGLISH) -> str:
    """The checkpoint's measured figures as a table; less usual conditions behind a click."""
    if not metrics:
        return f"<p>{words.NO_FIGURES}</p>"
    usual, others = (_shown(*plain_table(metrics, usual=usual), words) for usual in (True, False))
    explained = f"<p>{words.PERCENT}{sets_meant(metrics, words)}</p>"
    if not usual or not others:
        return (usual or others) + explained
    more = f"<details class='rc-card'><summary>{words.OTHER_CHANGES}</summary>{others}</details>"
    return usual + explained + more


def _shown(heads: list[str], rows: list[list[str]], words: Language) -> str:
    """A table with the reader's heads and decimals; "" without rows."""
    cells = [[name, *map(words.figures, figures)] for name, *figures in rows]
    return table(map(words.said, heads), cells, words) if rows else ""


def maps(explanations: dict[str, Groups], words: Language = ENGLISH) -> str:
    """How the maps did when they were tested, beside maps of random noise.

    Args:
        explanations: of the checkpoint's record, by set.
        words: the reader's.
    """
    sentences = []
    for name in _large({name: found["deletion"] for name, found in explanations.items()}):
        found = explanations[name]
        fall, noise = (100 * found[key].value for key in ("deletion", "deletion_random"))
        says = words.MAPS_TESTED.format(
            pictures=escape(words.SETS.get(name, words.OF_SET.format(name))),
            pasted=found["patch"].count,
            patch=words.figures(f"{found['patch'].value:.0%}"),
            before=words.figures(f"{found['patch_before'].value:.0%}"),
            random=words.figures(f"{found['patch_random'].value:.0%}"),
            blurred=found["deletion"].count,
            fall=words.figures(f"{fall:.1f}"),
            noise=words.figures(f"{noise:.1f}"),
        )
        sentences.append(f"<p>{says}</p>")
    return "".join(sentences)


def _large(figures: dict[str, Interval]) -> list[str]:
    """The sets whose figure counts enough pictures to reassure anybody; all, if none does."""
    return [name for name, figure in figures.items() if (figure.count or 0) >= ENOUGH] or [*figures]


def training(record: Record, words: Language = ENGLISH) -> str:
    """Every setting of the checkpoint's training, as tables.

    Args:
        record: of the checkpoint.
        words: the reader's.
    """
    tables = training_tables(record)
    if not tables:
        return f"<p>{words.NO_TRAINING}</p>"
    found = "".join(table(map(words.said, heads), rows, words) for heads, rows in tables)
    return f"<details class='rc-card'><summary>{words.TRAINING}</summary>{found}</details>"


def weakest(metrics: Measurements, words: Language = ENGLISH) -> str:
    """The groups of unseen pictures that are judged worst, as a sentence or two."""
    clean = metrics.get("unseen", {}).get("clean")
    if not clean:
        return ""
    named = []
    for members, says in (
        (clean.generators, words.WEAK_GENERATOR),
        (clean.real_sources, words.WEAK_SOURCE),
    ):
        groups = {n: f for n, f in members.items() if (f.count or 0) >= 10}
        if groups:
            name = min(groups, key=lambda group: groups[group].value)
            named.append(says.format(escape(name), words.figures(groups[name].percent())))
    said = [words.WEAKEST.format("; ".join(named))] if named else []
    accused = [
        words.ACCUSED_KIND.format(escape(name), words.figures(share.percent()))
        for name, share in most_accused(clean).items()
    ]
    if accused:
        said.append(words.ACCUSED.format(", ".join(accused)))
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


def base_rates(metrics: Measurements, words: Language = ENGLISH) -> str:
    """Of 100 pictures called AI, how many are, at usual shares of AI pictures and a chosen one.

    Args:
        metrics: the checkpoint's figures; those on the set it knows least are used.
        words: the reader's.
    """
    name = "unseen" if "unseen" in metrics else next(iter(metrics), "")
    clean = metrics.get(name, {}).get("clean")
    if clean is None or clean.verdicts.ai_called_ai is None:
        return f"<p>{words.NO_RATES}</p>"
    rows = []
    for share in BASE_RATES:
        really, low, high = flagged(share, clean.verdicts)
        rows.append((words.figures(f"{share:.1%}"), f"{really:.0f} ({low:.0f}–{high:.0f})"))
    sentences = [
        words.FLAGGED.format(base_rate(rate, words), *flagged(rate / 1000, clean.verdicts))
        for rate in CHOICES
    ]
    chosen = slider(words.SHARE, sentences, CHOSEN)
    return (
        table(words.RATES, rows, words)
        + f"<div class='rc-card'><h3>{words.SHARE}</h3>{chosen}</div>"
        + f"<p>{words.RATES_OF.format(name)}</p>"
    )
