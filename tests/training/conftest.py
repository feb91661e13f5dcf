import pytest

from realitycheck.training.loop import make_accelerator


@pytest.fixture(scope="session")
def accelerator():
    # Accelerate keeps one precision per process.
    return make_accelerator("fp32")
