"""One picture's answer as a file of its own, to keep and to send: HTML and JSON."""

from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from realitycheck import verdict_card
from realitycheck.results import Measurements
from realitycheck.web import answer_html, model_html
from realitycheck.web.answer import About, Answer
from realitycheck.wording import ENGLISH, LIMITS, Language

STYLES = (Path(__file__).with_name("static") / "page.css", verdict_card.CSS)


def contents(answer: Answer, perturbed: list[dict[str, Any]], about: About) -> dict[str, Any]:
    """Everything a report holds but the pictures, JSON-ready.

    Args:
        answer: of `Service.check`.
        perturbed: of `Service.check_perturbed`; [] where that was not asked.
        about: of `Service.about`.
    """
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        **answer.report,
        "survival": perturbed,
        "limits": list(LIMITS),
        "figures": _headline_figures(about.record.metrics),
    }


def _headline_figures(metrics: Measurements) -> dict[str, Any]:
    return {
        name: {
            condition: {
                key: asdict(getattr(values, key))
                for key in ("balanced_accuracy", "auc", "verdicts")
            }
            for condition, values in conditions.items()
        }
        for name, conditions in metrics.items()
    }


def html(answer: Answer, report: dict[str, Any], about: About, words: Language = ENGLISH) -> str:
    """The report as one HTML page that needs nothing from anywhere else.

    Args:
        answer: of `Service.check`.
        report: of `contents`.
        about: of `Service.about`.
        words: the reader's.
    """
    picture, rows = report["picture"], report["survival"]
    survival = answer_html.survival(rows, about.model, words) if rows else ""
    name = escape(picture["name"] or words.UNNAMED)
    return f"""<!DOCTYPE html>
<html lang="{words.code}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>RealityCheck: {name}</title>
<style>
body {{font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem}}
body > * {{margin-block: 0.9rem}}
code {{overflow-wrap: anywhere}}
{"".join(file.read_text(encoding="utf-8") for file in STYLES)}
</style>
</head>
<body>
<h1>{words.REPORT_TITLE}</h1>
<p>{words.REPORT_MADE.format(name, report["made"])}</p>
{verdict_card.card(report, words)}
{answer_html.evidence(report, words)}
{survival}
{answer_html.viewer(answer, words)}
<h3>{words.REPORT_FILE}</h3>
<p>{name}, {escape(picture["format"])}, {picture["width"]} x {picture["height"]} px,
SHA-256 <code>{picture["sha256"]}</code></p>
<h3>{words.REPORT_MODEL}</h3>
{model_html.model(about.model, words)}
<p>{words.WEIGHTS} <code>{report["model"]["sha256"]}</code></p>
{_probabilities(report["probabilities"], words)}
{model_html.in_short(about.model["calls"], words)}
<h3>{words.TRUST}</h3>
{model_html.limits(words)}
</body>
</html>
"""


def _probabilities(probabilities: dict[str, float], words: Language) -> str:
    shares = ", ".join(
        f"{escape(name)} {words.figures(f'{value:.1%}')}" for name, value in probabilities.items()
    )
    return f"<p>{words.GAVE.format(shares)}</p>"
