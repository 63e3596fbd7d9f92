def gather_memory(wildcards):
    """Megabytes: three copies of what is gathered, and what imports take."""
    return 2000 + round(3 * disk.gathered_bytes(EXPERIMENT) / 1e6)


def growing(amount):
    """A resource of which each attempt after a failure gets as much more as the first one got."""
    return lambda wildcards, attempt: attempt * (amount(wildcards) if callable(amount) else amount)


def simulation_memory(tangents):
    """Megabytes of a job that makes planes or reads them, with their tangents, on all of its devices."""
    distribution, lightcone = EXPERIMENT.distribution, EXPERIMENT.lightcone
    of_a_device = memory.simulation_bytes(EXPERIMENT.simulation, lightcone, distribution, tangents)
    arrays = distribution.devices * of_a_device + memory.plane_bytes(lightcone, tangents)
    return 500 + round((memory.PER_PROCESS + 1.2 * arrays) / 1e6)
