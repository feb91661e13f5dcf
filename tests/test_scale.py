"""docs/scale.md says what its command prints."""

import importlib.util

import pytest
from helpers import ROOT

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install -e '.[dev]'")


@pytest.fixture(scope="module")
def scale():
    spec = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks" / "scale.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_document_holds_the_tables_that_are_printed(scale):
    document = (ROOT / "docs" / "scale.md").read_text()
    for table in scale.tables(scale.Inputs()).split("\n\n"):
        assert table in document


def test_costs_are_worked_out(scale):
    inputs = scale.Inputs(rate=2, actor=500, picture=1, rows=100, line=10, parquet=1, asker=10)
    row = scale.costs(inputs, scale.Task("a million", 1e6, 1))
    assert row[1:4] == ["11.6", "8", "4 GB"]
    assert row[4:6] == ["1.0 TB", "0.09 Gbit/s"]


def test_what_is_measured_is_measured(scale):
    inputs = scale.measured(scale.Inputs(), 2000)
    assert inputs.rate == scale.Inputs.rate
    assert 1000 < inputs.rows < 1e6
    assert 300 < inputs.line < 2000
    assert 5 < inputs.parquet < 300
