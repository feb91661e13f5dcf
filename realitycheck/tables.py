"""The one layout in which console, card, page and documents show what was measured."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from realitycheck.results import (
    UNKNOWN,
    USUAL_CONDITIONS,
    Attacks,
    FamilyMetrics,
    Groups,
    Interval,
    Measurements,
    Record,
    SetMetrics,
)

Table = tuple[list[str], list[list[str]]]  # heads and rows
ENOUGH_IN_GROUP, MOST_ACCUSED = 30, 3  # pictures of a group that may be named; groups named


@dataclass(frozen=True)
class Column:
    """A column of the table of measurements.

    Attributes:
        head: in the field's terms, for cards, documents and the console.
        plain: in plain words, for the page.
        read: the figure of a set, None where an old record lacks it.
    """

    head: str
    plain: str
    read: Callable[[SetMetrics], Interval | None]


COLUMNS = (
    Column("balanced accuracy", "balanced accuracy", lambda m: m.balanced_accuracy),
    Column("AUC", "AUC", lambda m: m.auc),
    Column("ECE", "calibration error", lambda m: m.ece),
    Column("coverage", "verdict given", lambda m: m.verdicts.coverage),
    Column("selective accuracy", "right when given", lambda m: m.verdicts.selective_accuracy),
    Column("real called `ai`", "real called AI", lambda m: m.verdicts.real_called_ai),
    Column("AI called `real`", "AI called real", lambda m: m.verdicts.ai_called_real),
)


def measurement_table(measurements: Measurements) -> Table:
    """Every set under every condition, shares in percent with 95 % intervals."""
    heads = ["set", "condition", *(column.head for column in COLUMNS)]
    rows = [
        [name, condition, *(percent(column.read(metrics)) for column in COLUMNS)]
        for name, conditions in measurements.items()
        for condition, metrics in conditions.items()
    ]
    return heads, rows


def plain_table(measurements: Measurements, *, usual: bool) -> Table:
    """The same in plain words, of the usual conditions or of all others, a name per row."""
    shown = [column for column in COLUMNS if column.head not in ("AUC", "ECE")]
    heads = ["pictures", *(column.plain for column in shown)]
    rows = [
        [f"{name}, {condition}", *(percent(column.read(metrics)) for column in shown)]
        for name, conditions in measurements.items()
        for condition, metrics in conditions.items()
        if (condition in USUAL_CONDITIONS) == usual
    ]
    return heads, rows


def explanation_table(explanations: dict[str, Groups]) -> Table:
    """How maps did, a row per set and figure."""
    heads = ["set", "figure", "mean", "95 % interval", "pictures"]
    rows = [
        [name, key, f"{f.value:.3f}", f"{f.low:.3f} to {f.high:.3f}", str(f.count)]
        for name, found in explanations.items()
        for key, f in found.items()
    ]
    return heads, rows


def attack_table(attacks: Attacks) -> Table:
    """How attacked pictures were judged, shares in percent, leads in log-odds."""
    shown = [column for column in COLUMNS if column.head != "ECE"]
    heads = ["set", "attacked", "condition", "asked", *(column.head for column in shown)]
    heads += ["lead pushed by", "attack's lead off by"]
    rows = [
        [
            *(name, row.attacked or "-", row.condition, row.judge),
            *(percent(column.read(row.metrics)) for column in shown),
            *("-" if f is None else f"{f.value:.2f}" for f in (row.pushed, row.disagreement)),
        ]
        for name, found in attacks.items()
        for row in found
    ]
    return heads, rows


def most_accused(metrics: SetMetrics) -> Groups:
    """The kinds and eras of real pictures that are called `ai` most often, worst first.

    Of those with `ENOUGH_IN_GROUP` pictures or more, at most three; none that never was.
    """
    known = {f"taken {era}": f for era, f in metrics.real_eras_called_ai.items() if era != UNKNOWN}
    groups = {
        name: figure
        for name, figure in (metrics.real_kinds_called_ai | known).items()
        if (figure.count or 0) >= ENOUGH_IN_GROUP and figure.value > 0
    }
    worst = sorted(groups, key=lambda name: (-groups[name].value, name))
    return {name: groups[name] for name in worst[:MOST_ACCUSED]}


def family_table(families: dict[str, FamilyMetrics]) -> Table:
    """How naming families did, a row per set and family, shares in percent."""
    heads = ["set", "family", "pictures", "named", "right of these", "right when called so"]
    heads.append("named by a head not taught it")
    rows = [
        [
            *(name, family, str(named.count), named.percent()),
            *(percent(f.get(family)) for f in (found.right, found.called, found.untaught)),
        ]
        for name, found in families.items()
        for family, named in found.named.items()
    ]
    return heads, rows


def training_tables(record: Record) -> list[Table]:
    """How a checkpoint was trained: every setting of every run, and the pictures of each set."""
    tables: list[Table] = []
    if record.training:
        names = dict.fromkeys(name for step in reversed(record.training) for name in step)
        heads = [f"step {number}" for number in range(1, len(record.training) + 1)]
        rows = [[name, *(_setting(s.get(name)) for s in record.training)] for name in names]
        tables.append((["setting", *(heads if len(heads) > 1 else ["value"])], rows))
    if record.data:
        names = dict.fromkeys(name for counts in record.data.values() for name in counts)
        rows = [[s, *(str(counts.get(n, "")) for n in names)] for s, counts in record.data.items()]
        tables.append((["pictures", *names], rows))
    return tables


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def markdown(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of a Markdown table."""
    heads = list(heads)
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        # A bar in a name would start another cell.
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def percent(figure: Interval | None) -> str:
    """A share with its interval, in percent: "91.2 (89.9-92.4)"; "-" for None."""
    return "-" if figure is None else figure.percent()
