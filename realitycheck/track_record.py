"""How a checkpoint's verdicts fared where it knew nothing of the pictures' sources."""

from realitycheck.results import Confusion, Measurements, SetMetrics

NEVER_SEEN = ("unseen", "full")  # sets of pictures from sources that training never saw
CONDITIONS_TOLD = ("clean", "web")  # whose counts stand beside an answer


def track_record(measurements: Measurements) -> dict[str, Confusion]:
    """How verdicts fared on the largest set of pictures from sources that training never saw.

    Args:
        measurements: of a checkpoint's record.

    Returns:
        Condition ("clean", "web") to truth to verdict to how many pictures; empty where that was
        not measured.
    """
    sets = [measurements[name] for name in NEVER_SEEN if "clean" in measurements.get(name, {})]
    if not sets:
        return {}
    most = max(sets, key=lambda conditions: sum(conditions["clean"].pictures.values()))
    told = {name: _confusion(most[name]) for name in CONDITIONS_TOLD if name in most}
    return {name: counts for name, counts in told.items() if counts}


def _confusion(metrics: SetMetrics) -> Confusion:
    """Counts of verdicts; from their rates in old records, empty where those are missing too."""
    if metrics.confusion:
        return metrics.confusion
    rates, ai, real = metrics.verdicts, metrics.pictures["ai"], metrics.pictures["real"]
    if rates.ai_called_ai is None or rates.real_called_real is None:
        return {}
    called = {
        "ai": (ai, rates.ai_called_ai.value, rates.ai_called_real.value),
        "real": (real, rates.real_called_ai.value, rates.real_called_real.value),
    }
    counts = {
        truth: {"ai": round(count * as_ai), "real": round(count * as_real)}
        for truth, (count, as_ai, as_real) in called.items()
    }
    for truth, (count, _, _) in called.items():
        counts[truth]["uncertain"] = count - sum(counts[truth].values())
    return counts
