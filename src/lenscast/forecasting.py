"""The last step of the pipeline: from the data vectors and Jacobians of an experiment to Fisher forecasts.

What `lenscast.fisher` is told here follows from the experiment: parameters and priors, the area of the survey in units
of that of the maps, which statistics are averaged exactly or counted, and what is left out.
"""

from collections.abc import Sequence

from lenscast.expectation import two_point
from lenscast.experiment import Experiment
from lenscast.experiment.observation import observation
from lenscast.fisher.data_vector import Forecast, ForecastOptions, ParameterSpace, data_vector_forecast
from lenscast.fisher.gaussian_bins import GaussianBins
from lenscast.fisher.resolution import Level
from lenscast.fisher.samples import Jacobians, SummarySample


def forecast(
    summaries: SummarySample,
    jacobians: Jacobians,
    experiment: Experiment,
    names: Sequence[str] | None = None,
    levels: Sequence[Level] = (),
) -> dict[str, Forecast]:
    """Fisher forecasts of the data vectors of an experiment by name.

    Parameters
    ----------
    summaries
        Data vectors of maps, for the covariance.
    jacobians
        Mean data vectors of boxes and their Jacobians.
    experiment
        Data vectors, parameters, priors and survey area.
    names
        Names of data vectors; all of them by default.
    levels
        Boxes at coarser resolutions, `Experiment.coarser`.
    """
    space = ParameterSpace(experiment.parameters, experiment.nuisance, experiment.fiducial, experiment.priors)
    region, noise = observation(experiment)
    area_ratio = experiment.survey.area_deg2 / noise.area_deg2(region)
    section = experiment.forecast
    options = ForecastOptions(
        [*two_point(experiment)],
        levels,
        section.scale_cuts,
        [name for name, each in experiment.statistics.items() if each.is_count],
        GaussianBins(**section.gaussian_bins.model_dump()),
        section.drop_bins,
    )
    return {
        name: data_vector_forecast(summaries, jacobians, section.data_vectors[name], space, area_ratio, options)
        for name in names or section.data_vectors
    }
