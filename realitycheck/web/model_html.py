"""What is known of the model, as HTML."""

from html import escape
from typing import Any

from realitycheck.results import Measurements, Record, Verdicts
from realitycheck.tables import plain_table, training_tables
from realitycheck.web.html_tables import table
from realitycheck.wording import LIMITS, sets_meant

BASE_RATES = (0.01, 0.1, 0.5)


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


def training(record: Record) -> str:
    """Every setting of the checkpoint's training, as tables.

    Args:
        record: of the checkpoint.
    """
    tables = training_tables(record)
    if not tables:
        return "<p>This checkpoint does not say how it was trained.</p>"
    return "".join(table(heads, rows) for heads, rows in tables)


def weakest(metrics: Measurements) -> str:
    """The groups of unseen pictures that are judged worst, as a sentence."""
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
    return f"<p>Worst in “unseen”, clean: {'; '.join(named)}.</p>" if named else ""


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

    def really(hits: float, alarms: float) -> float:
        found = base_rate * hits
        return 100 * found / (found + (1 - base_rate) * alarms) if found else 0.0

    return (
        really(hit.value, alarm.value),
        really(hit.low, alarm.high),
        really(hit.high, alarm.low),
    )


def base_rates(metrics: Measurements, chosen: float | None = None) -> str:
    """Of 100 pictures called AI, how many are, at usual shares of AI pictures and a chosen one.

    Args:
        metrics: the checkpoint's figures; those on the set it knows least are used.
        chosen: another share, 0 to 1.
    """
    name = "unseen" if "unseen" in metrics else next(iter(metrics), "")
    clean = metrics.get(name, {}).get("clean")
    if clean is None or clean.verdicts.ai_called_ai is None:
        return "<p>Not known: this checkpoint was not measured.</p>"
    shares = sorted({*BASE_RATES, *([] if chosen is None else [chosen])})
    rows = []
    for share in shares:
        really, low, high = flagged(share, clean.verdicts)
        rows.append((f"{share:.1%}", f"{really:.0f} ({low:.0f}–{high:.0f})"))
    heads = ("Share of AI pictures among those you check", "Of 100 called AI, really AI")
    return table(heads, rows) + f"<p>With the error rates measured on the set “{name}”.</p>"
