FIELD_SETTINGS = dependence.field_posterior(EXPERIMENT, MADE_HERE)


def mock_jobs():
    """Numbers of the first and the last mock of each job."""
    number, batch = EXPERIMENT.field_level.mocks, EXPERIMENT.boxes_per_batch
    return [f"{first}_{min(first + batch, number) - 1}" for first in range(0, number, batch)]


def require_ranges():
    """Refuse to simulate a prior that the config does not give."""
    if not EXPERIMENT.simulation_based.ranges:
        raise WorkflowError(
            "simulation_based.ranges: missing; give [lower end, upper end] of the prior of each of forecast.parameters, "
            "as configs/sbi.yaml does"
        )
