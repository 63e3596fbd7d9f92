"""What the tests of the workflow share."""

from pathlib import Path

import pytest

from _workflow import finished_run


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A finished run of config.yaml, to be copied; made once for all processes of a test session."""
    base = tmp_path_factory.getbasetemp()
    return finished_run(base.parent if hasattr(request.config, "workerinput") else base)
