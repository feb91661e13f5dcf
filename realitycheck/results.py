"""What was measured, as dataclasses, and the one table in which all of it is shown."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

UNGROUPED = "all"  # group of pictures without a named generator or source
UNKNOWN = "not known"  # group of pictures that do not say when they were taken
USUAL_CONDITIONS = ("clean", "web", "hard")  # what calibration is for; shown before all others
# Pictures of each class, held out, below which no thresholds are set: with none false among so
# many, at most 2.5 % are false (95 % confidence: 0.975 ** 120 < 0.05).
MIN_HELD_OUT = 120

Settings = dict[str, Any]  # name of a setting of a training run to its value, JSON-ready


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % confidence interval.

    Attributes:
        value: the figure; a share lies in [0, 1].
        low: lower end of the interval.
        high: upper end of the interval.
        count: pictures behind it; None where a figure rests on a whole set.
    """

    value: float
    low: float
    high: float
    count: int | None = None

    def percent(self) -> str:
        """A share in percent, with its interval: "91.2 (89.9-92.4)"."""
        return f"{100 * self.value:.1f} ({100 * self.low:.1f}-{100 * self.high:.1f})"

    @classmethod
    def from_json(cls, values: dict[str, Any] | None) -> "Interval | None":
        """Reads what `asdict` gave; None of None."""
        if values is None:
            return None
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


Groups = dict[str, Interval]


@dataclass(frozen=True)
class Verdicts:
    """How often which verdict was given, and was right.

    Attributes:
        coverage: share of pictures that get a verdict, not `uncertain`.
        selective_accuracy: share of verdicts that are right; None where none was given.
        ai_called_ai: share of AI pictures that are called `ai`.
        real_called_ai: share of real pictures that are called `ai`.
        ai_called_real: share of AI pictures that are called `real`.
        real_called_real: share of real pictures that are called `real`; None in old records.
    """

    coverage: Interval | None
    selective_accuracy: Interval | None
    ai_called_ai: Interval | None
    real_called_ai: Interval
    ai_called_real: Interval
    real_called_real: Interval | None = None


@dataclass(frozen=True)
class SetMetrics:
    """All figures of one set of pictures under one condition.

    Attributes:
        pictures: class ("ai", "real") to how many there are.
        balanced_accuracy: mean of both classes' accuracy, AI from 0.5.
        auc: area under the ROC curve.
        verdicts: how often which verdict was given.
        accuracy_ai: share of AI pictures at 0.5 or above.
        accuracy_real: share of real pictures below 0.5.
        tpr_at_fpr: percent of real pictures flagged ("1", "5") to the share of AI ones found.
        ece: expected calibration error; None in old records.
        confusion: truth to verdict to how many pictures.
        generators: accuracy at 0.5 of AI pictures, by generator.
        real_sources: accuracy at 0.5 of real pictures, by source.
        real_sources_called_ai: share of real pictures called `ai`, by source.
        real_kinds_called_ai: share of real pictures called `ai`, by what they show.
        real_eras_called_ai: share of real pictures called `ai`, by when they were taken.
        worst_false_alarms: groups of the real pictures with the highest AI probability.
        worst_misses: groups of the AI pictures with the lowest AI probability.
    """

    pictures: dict[str, int]
    balanced_accuracy: Interval
    auc: Interval
    verdicts: Verdicts
    accuracy_ai: Interval | None = None
    accuracy_real: Interval | None = None
    tpr_at_fpr: dict[str, float] = field(default_factory=dict)
    ece: Interval | None = None
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    generators: Groups = field(default_factory=dict)
    real_sources: Groups = field(default_factory=dict)
    real_sources_called_ai: Groups = field(default_factory=dict)
    real_kinds_called_ai: Groups = field(default_factory=dict)
    real_eras_called_ai: Groups = field(default_factory=dict)
    worst_false_alarms: dict[str, int] = field(default_factory=dict)
    worst_misses: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "SetMetrics":
        """Reads what `asdict` gave, of this version or of format 1.

        Raises:
            KeyError: a figure is missing.
            TypeError: a figure is of another shape.
        """
        values = _renamed(values)
        verdicts = values["verdicts"]
        return cls(
            **{
                **_known(cls, values),
                **{name: _groups(values[name]) for name in _GROUPED if name in values},
                "balanced_accuracy": _interval(values["balanced_accuracy"]),
                "auc": _interval(values["auc"]),
                "ece": Interval.from_json(values.get("ece")),
                "accuracy_ai": Interval.from_json(values.get("accuracy_ai")),
                "accuracy_real": Interval.from_json(values.get("accuracy_real")),
                "verdicts": Verdicts(
                    coverage=Interval.from_json(verdicts.get("coverage")),
                    selective_accuracy=Interval.from_json(verdicts.get("selective_accuracy")),
                    ai_called_ai=Interval.from_json(verdicts.get("ai_called_ai")),
                    real_called_ai=_interval(verdicts["real_called_ai"]),
                    ai_called_real=_interval(verdicts["ai_called_real"]),
                    real_called_real=Interval.from_json(verdicts.get("real_called_real")),
                ),
            }
        )

    def without_groups(self) -> "SetMetrics":
        """A copy without the groups, which are long."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _LONG}
        return SetMetrics(**kept)


_CALLED_AI = ("real_sources_called_ai", "real_kinds_called_ai", "real_eras_called_ai")
_GROUPED = ("generators", "real_sources", *_CALLED_AI)
_LONG = (*_GROUPED, "worst_false_alarms", "worst_misses")
Measurements = dict[str, dict[str, SetMetrics]]  # set to condition to its figures
Confusion = dict[str, dict[str, int]]  # truth ("ai", "real") to verdict to how many pictures


@dataclass(frozen=True)
class AttackMetrics:
    """How a committee, or one of its members alone, did on pictures that were attacked.

    Attributes:
        attacked: whose gradients were followed, a member or "committee"; "" of the pictures before.
        condition: "clean" before, "attacked", or "attacked-jpeg90" where they were saved again.
        judge: who was asked, a member or "committee".
        metrics: its figures.
        pushed: mean way of a picture's lead to the wrong side, log-odds; None before.
        disagreement: mean distance of the lead that the attack saw at its end from what the judge
            says of the same file, log-odds; None where another was attacked.
    """

    attacked: str
    condition: str
    judge: str
    metrics: SetMetrics
    pushed: Interval | None = None
    disagreement: Interval | None = None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "AttackMetrics":
        """Reads what `asdict` gave.

        Raises:
            KeyError: something is missing.
            TypeError: something is of another shape.
        """
        read = {name: Interval.from_json(values.get(name)) for name in ("pushed", "disagreement")}
        metrics = SetMetrics.from_json(values["metrics"])
        return cls(**{**_known(cls, values), **read, "metrics": metrics})


Attacks = dict[str, list[AttackMetrics]]  # by set


def _known(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    names = {f.name for f in fields(cls)}
    return {name: value for name, value in values.items() if name in names}


def _interval(values: dict[str, Any]) -> Interval:
    found = Interval.from_json(values)
    if found is None:
        raise TypeError("a figure is missing")
    return found


def _groups(values: dict[str, dict[str, Any]]) -> Groups:
    return {name: _interval(figure) for name, figure in values.items()}


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    """Figures of format 1 under their names of today."""
    values = dict(values)
    old = dict(values["verdicts"])
    for before, after in (("decided", "coverage"), ("right_when_decided", "selective_accuracy")):
        if before in old:
            old[after] = old.pop(before)
    values["verdicts"] = old
    for percent in ("1", "5"):
        share = values.pop(f"tpr_at_{percent}_percent_fpr", None)
        if share is not None:
            values.setdefault("tpr_at_fpr", {})[percent] = share
    return values


@dataclass(frozen=True)
class FamilyMetrics:
    """How naming families of generators did on one set of AI pictures, family to figure.

    Attributes:
        named: share of the family's pictures for which a family is named, any; "all" of all.
        right: share of those names that are right; "all" of all.
        called: share of the pictures called so that are of the family.
        untaught: share of the family's pictures for which a family is named by a head that was
            not taught it, so that no name can be right; "all" of all.
    """

    named: Groups
    right: Groups
    called: Groups
    untaught: Groups = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "FamilyMetrics":
        """Reads what `asdict` gave.

        Raises:
            KeyError: something is missing.
            TypeError: something is of another shape.
        """
        return cls(**{name: _groups(found) for name, found in _known(cls, values).items()})


@dataclass(frozen=True)
class Source:
    """Where pictures of one class and set come from.

    Attributes:
        label: class name.
        name: of the set.
        pictures: how many.
        repository: "owner/name", or "" where that is not stated.
        licence: as the source states it, or "".
    """

    label: str
    name: str
    pictures: int
    repository: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Record:
    """What is known of a checkpoint but not needed to run it: `record.json`.

    Attributes:
        training: settings of every run behind it, first to last; each resumed from the one before.
        data: set to class (and "fingerprint") to how many pictures it holds.
        sources: where the training and validation pictures come from.
        metrics: what was measured.
        explanations: set to figure to how its maps did, see `evaluation.faithfulness.measure`.
        families: set to how naming families of generators did.
        attacks: set to how attacked pictures were judged.
    """

    training: tuple[Settings, ...] = ()
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    metrics: Measurements = field(default_factory=dict)
    explanations: dict[str, Groups] = field(default_factory=dict)
    families: dict[str, FamilyMetrics] = field(default_factory=dict)
    attacks: Attacks = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Record":
        """Reads what `to_json` gave, or those parts of a config of format 1.

        Raises:
            KeyError: something is missing.
            TypeError: something is of another shape.
        """
        return cls(
            training=_steps(values.get("training") or ()),
            data=values.get("data") or {},
            sources=tuple(_source(row) for row in values.get("sources") or ()),
            metrics={
                name: {key: SetMetrics.from_json(found) for key, found in conditions.items()}
                for name, conditions in (values.get("metrics") or {}).items()
            },
            explanations={
                name: _groups(found) for name, found in (values.get("explanations") or {}).items()
            },
            families={
                name: FamilyMetrics.from_json(found)
                for name, found in (values.get("families") or {}).items()
            },
            attacks={
                name: [AttackMetrics.from_json(row) for row in rows]
                for name, rows in (values.get("attacks") or {}).items()
            },
        )


def _steps(training: Any) -> tuple[Settings, ...]:
    if not isinstance(training, dict):
        return tuple(training)
    # Format 1 nests the run before under "started_from".
    steps = [training]
    while before := steps[0].get("started_from"):
        steps.insert(0, before)
    return tuple({k: v for k, v in step.items() if k != "started_from"} for step in steps)


def _source(row: dict[str, Any]) -> Source:
    if "name" in row:
        return Source(**_known(Source, row))
    return Source(row["class"], row["set"], row["pictures"], row["source"], row["licence"])
