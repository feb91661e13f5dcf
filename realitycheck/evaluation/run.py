"""Measures a checkpoint on a folder of pictures."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from realitycheck import checkpoints
from realitycheck.checkpoints import Checkpoint
from realitycheck.committee.committee import Member
from realitycheck.config import Config
from realitycheck.data import folders, manifest
from realitycheck.data.samples import Sample, Splits, describe, smallest_side
from realitycheck.engines.choice import PYTORCH, described, equip
from realitycheck.errors import DataError
from realitycheck.evaluation import attacks, conditions, fairness, metrics, report, shortcuts
from realitycheck.evaluation.report import Report, Scores
from realitycheck.evaluation.score import is_ai, run_committee
from realitycheck.files import encodable
from realitycheck.publish import card
from realitycheck.results import UNGROUPED, Attacks, Groups, Measurements, Record
from realitycheck.tables import attack_table, markdown, percent

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choices:
    """What to measure, and where to write it.

    Attributes:
        output: folder for what is written.
        splits: sets to measure; None for all but train and val.
        conditions: see `conditions.known`; with "all" the shortcuts are measured too.
        explanations: test the maps too, see `faithfulness.measure`.
        attacks: pictures of each set to attack, see `attacks.measure`; 0 for none.
        workers: loader processes.
        export: write the measured weights there as a float16 checkpoint that holds the
            figures; they are then rounded to float16 before measuring.
        min_side: px that a picture's short side must have; None for what training let in.
        engine: what runs the networks, see `engines.choice.equip`; PyTorch with `export`, whose
            rounded weights are in no graph.
        quick: measure the quick mode.
    """

    output: Path
    splits: list[str] | None = None
    conditions: tuple[str, ...] = ("clean",)
    explanations: bool = False
    attacks: int = 0
    workers: int = 1
    export: Path | None = None
    min_side: int | None = None
    engine: str | None = None
    quick: bool = False


def run(root: Path, source: str | None, choices: Choices) -> Report:
    """Measures a checkpoint on a folder and logs the report.

    Writes `metrics.json`, `scores.csv` with a row per picture, and `report.md` with figures; the
    first two after every condition, so that an interruption loses one.

    Args:
        root: the folder, see `folders.find`.
        source: checkpoint, see `checkpoints.load`.
        choices: what to measure.

    Raises:
        RealityCheckError: unknown condition, unusable folder or checkpoint.
    """
    from realitycheck.evaluation import figures  # Matplotlib

    wanted = conditions.known(list(choices.conditions))
    model = checkpoints.find(source)
    checkpoint = (model.quick() if choices.quick else model).load()
    config, record = checkpoint.config, checkpoint.record()
    found = _sets(root, config, record, choices)
    if choices.export:
        for member in checkpoint.members:
            checkpoints.round_to_half(member.network)
    names = choices.splits or [name for name in found.sets if name not in ("train", "val")]
    if not names:
        raise DataError(f"{root} has no test set. Name the sets to measure with --splits.")
    for name in names:
        _warn_if_changed(name, found, record)
    members = equip(checkpoint, PYTORCH if choices.export else choices.engine)
    written = Report({**checkpoint.describe(), "engine": described(members)})

    def keep(measured: Measurements, scores: list[Scores]) -> None:
        written.sets = measured
        report.write_metrics(choices.output, written)
        report.write_scores(choices.output, scores, root)

    _, scores = measure(
        members, config, found, names, wanted, choices.workers, keep, quick=choices.quick
    )
    if choices.conditions == ("all",):
        written.shortcuts = _shortcuts(found, names, config)
    if choices.attacks:
        written.attacks = _attacks(checkpoint.members, config, found, names, choices)
    if choices.explanations:
        written.explanations = _explanations(checkpoint.members, config, found, names)
    report.write_metrics(choices.output, written)
    figures.write(choices.output, written, scores)
    log.info(
        f"\nWrote {choices.output / report.METRICS}, {report.SCORES} and {figures.REPORT} with its "
        "figures."
    )
    if choices.export:
        _export(choices.export, checkpoint, record, written)
    return written


def _sets(root: Path, config: Config, record: Record, choices: Choices) -> Splits:
    seed = record.training[-1].get("seed", 0) if record.training else 0
    return folders.find(
        root,
        seed,
        config.classes,
        min_side=smallest_side(record, choices.min_side),
        validation="val" in (choices.splits or ()),
    )


def _export(folder: Path, checkpoint: Checkpoint, record: Record, written: Report) -> None:
    """Writes the weights as they were measured, in float16, with the figures.

    Groups of changed pictures are left out, for nobody is shown them and they are long.
    """
    kept = {
        name: {
            condition: figures if condition == "clean" else figures.without_groups()
            for condition, figures in found.items()
        }
        for name, found in written.sets.items()
    }
    record = replace(
        record, metrics=kept, explanations=written.explanations, attacks=written.attacks
    )
    config = checkpoint.config
    documents = {checkpoints.CARD: card.text(config, record)}
    networks = [member.network for member in checkpoint.members]
    copies = checkpoints.parts(checkpoint)
    checkpoints.save(folder, networks, config, record, documents, half=True, copies=copies)
    log.info(f"Wrote {folder}.")


def _explanations(
    members: Sequence[Member], config: Config, found: Splits, names: list[str]
) -> dict[str, Groups]:
    """How the maps that are shown did on each set, logged as it comes."""
    from realitycheck.evaluation import faithfulness  # grad-cam, which nothing else here needs

    measured, member = {}, members[config.stack.heaviest]
    for name in names:
        member.network.cpu()  # where measuring has left it on a GPU
        measured[name] = faithfulness.measure(member, config, found[name], faithfulness.PICTURES)
        log.info("\n".join(faithfulness.lines(name, measured[name])))
    return measured


def _attacks(
    members: Sequence[Member], config: Config, found: Splits, names: list[str], choices: Choices
) -> Attacks:
    """How attacked pictures of each set were judged, logged as it comes."""
    measured: Attacks = {}
    for name in names:
        sources = group_names(found[name], found.root, config)
        pictures = (found[name], sources, choices.attacks)
        measured[name] = attacks.measure(members, config, *pictures, workers=choices.workers)
        log.info("\n" + "\n".join(markdown(*attack_table({name: measured[name]}))))
    return measured


def _shortcuts(found: Splits, names: list[str], config: Config) -> dict[str, Groups]:
    """Balanced accuracy of the baselines on each set; they learn from the training set."""
    if not found.sets.get("train"):
        return {}
    sets = {name: found[name] for name in names}
    measured: dict[str, Groups] = {}
    for label, describe_picture in shortcuts.SHORTCUTS.items():
        scores = shortcuts.scores(describe_picture, found["train"], sets, config.ai_index)
        measured[label] = {
            name: metrics.bootstrap_ci(metrics.balanced_accuracy, *pair)
            for name, pair in scores.items()
        }
        for name, figure in measured[label].items():
            log.info(f"shortcut, {label}, {name}: balanced accuracy {percent(figure)}")
    return measured


def measure(
    members: Sequence[Member],
    config: Config,
    splits: Splits,
    names: list[str],
    wanted: list[str],
    workers: int = 1,
    keep: Callable[[Measurements, list[Scores]], None] = lambda *_: None,
    *,
    quick: bool = False,
) -> tuple[Measurements, list[Scores]]:
    """Measures a committee on sets under conditions, and logs the report of each as it comes.

    Args:
        members: of the committee, in eval mode.
        config: its configuration.
        splits: holds the sets.
        names: of the sets.
        wanted: conditions.
        workers: loader processes.
        keep: called after every condition with what will be returned, as far as it goes.
        quick: look at each picture as the quick mode does, whose configuration this is.

    Returns:
        What was measured, and the scores behind it.
    """
    measured: Measurements = {name: {} for name in names}
    scores: list[Scores] = []
    for name in names:
        for condition in wanted:
            outputs = run_committee(
                members, config, splits[name], condition, workers=workers, quick=quick
            )
            samples = outputs.samples
            p_ai, truth = outputs.p_ai(config), is_ai(samples, config)
            groups = group_names(samples, splits.root, config)
            rows = manifest.manifest_rows(samples, splits.root)
            kinds = fairness.kinds([row.get("content") or "" for row in rows], outputs.traits)
            eras = [fairness.era(traits.year) for traits in outputs.traits]
            verdicts = outputs.verdicts(config)
            found = metrics.summarise(p_ai, truth, verdicts, groups, kinds, eras)
            measured[name][condition] = found
            scores.append(Scores(name, condition, samples, p_ai, truth, groups))
            log.info("\n".join(report.lines(name, condition, found)))
            keep(measured, scores)
    return measured, scores


def _warn_if_changed(name: str, found: Splits, record: Record) -> None:
    recorded = record.data.get(name)
    now = describe(found).get(name)
    if recorded and now and recorded["fingerprint"] != now["fingerprint"]:
        log.warning(
            "The %s set is not the one recorded when this checkpoint was trained: if these are "
            "the same folders, pictures it was trained on may be among the measured ones.",
            name,
        )


def group_names(samples: list[Sample], root: Path, config: Config) -> list[str]:
    """The generator of each AI picture and the source of each real one.

    Read from the folder's manifest; without one, the sub-folder below the class folder, and
    "all" for pictures that lie directly in it.
    """
    names = []
    for sample, row in zip(samples, manifest.manifest_rows(samples, root), strict=True):
        column = "generator" if sample.label == config.ai_index else "set"
        inner = folders.inner_folders(sample.path, root, config.classes[sample.label])
        folder = encodable("/".join(inner)) or UNGROUPED
        names.append(row.get(column) or folder)
    return names
