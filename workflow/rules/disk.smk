import shutil

from humanfriendly import format_size


def made(batch, *folders):
    """Whether a batch has a file in one of the folders: what was measured is not simulated again."""
    return any(Path(f"{RESULTS}/{folder}/{batch}.h5").exists() for folder in folders)


@cache
def say_disk_use():
    """Say what the files of the run that are still to be made take, and warn where there is no room for them."""
    if MERGED:
        return
    missing = {
        name: sum(
            not made(batch, f"{name}/fiducial", f"{disk.MEASURED.get(name, name)}/fiducial")
            for batch in EXPERIMENT.batches[section]
        )
        for name, section in disk.SECTIONS.items()
    }
    coarser = {
        level: sum(
            not made(batch, f"resolution/planes/{level}", f"resolution/derivatives/{level}")
            for section in level_sections(level)
            for batch in EXPERIMENT.batches[section]
        )
        for level in LEVELS
    }
    if not any([*missing.values(), *coarser.values()]):
        return
    limits = [workflow.global_resources[name].value for name in ("_nodes", "_cores")]
    at_once = next((limit for limit in limits if limit), 1)
    sizes = disk.disk_use(EXPERIMENT, missing, at_once) | {"levels": disk.level_bytes(EXPERIMENT, coarser, at_once)}
    results = Path(RESULTS).absolute()
    there = next(folder for folder in (results, *results.parents) if folder.exists())
    needed, free = sum(sizes.values()), shutil.disk_usage(there).free
    parts = ", ".join(f"{name} {format_size(size)}" for name, size in sizes.items())
    logger.info(f"Disk: {format_size(needed)} more for {RESULTS} ({parts}); {format_size(free)} are free.")
    if needed > free:
        remedy = "set simulated: temporary, " if EXPERIMENT.simulated == "kept" else ""
        logger.warning(
            f"Disk: {RESULTS} does not fit: it takes {format_size(needed)}, and {format_size(free)} are free in {there}. "
            f"For room, {remedy}make results a link to another disk, or lower covariance.boxes or derivatives.boxes."
        )
