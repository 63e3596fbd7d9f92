def gather_memory(wildcards):
    """Megabytes: three copies of what is gathered, and what imports take."""
    return 2000 + round(3 * disk.gathered_bytes(EXPERIMENT) / 1e6)


def growing(amount):
    """A resource of which each attempt after a failure gets as much more as the first one got."""
    return lambda wildcards, attempt: attempt * (amount(wildcards) if callable(amount) else amount)


def simulation_memory(tangents):
    """Megabytes of a job that simulates: the planes and their tangents, and what compiling takes."""
    return 2000 + round(memory.plane_bytes(EXPERIMENT.lightcone, tangents) / 1e6)
