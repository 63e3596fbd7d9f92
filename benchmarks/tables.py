"""The tables of the report: what each one compares, and its bars."""

from comparisons import DOCUMENTED, FOUR_POINT, GRADIENT, JAXPM_STEPS, NBODY, pairs, peers
from measurement import Subject
from rows import (
    campaign_rows,
    device_bars,
    device_rows,
    jacobian_rows,
    kernel_bars,
    kernel_rows,
    overhead_bars,
    overhead_rows,
    precision_rows,
    process_rows,
    scale_bars,
    scale_rows,
    tangent_bars,
    tangent_rows,
)
from table import LARGE, SIZE, Bar, Table, own

ADJOINTS = {
    "fixed steps": ("plain reverse", "recursive checkpoints"),
    "adaptive": ("plain reverse", "recursive checkpoints", "backsolve"),
}
TABLES: dict[str, Table] = {
    "kernels": Table(
        "A force evaluation and its parts, compared with compiled loops and SciPy's transforms on one thread",
        {
            "particles": "particles",
            "cores": "cores",
            "program": "kernel",
            "cpu_ms": "CPU [ms]",
            "cpu_ratio": "CPU / compiled",
            "of_bandwidth": "share of the memory's bandwidth",
            "bandwidth": "bandwidth [GB/s]",
        },
        kernel_rows,
        kernel_bars,
        drawn="cpu_ratio",
    ),
    "nbody": peers(
        [
            NBODY,
            FOUR_POINT,
            *DOCUMENTED.values(),
            Subject("pmwd", "N-body, one program"),
            *(Subject("jaxpm", f"N-body{steps}") for steps in JAXPM_STEPS),
        ],
        "N-body: 2LPT and 10 steps from a = 0.1, one particle per mesh cell, to the density today",
        {
            SIZE: dict(zip(DOCUMENTED.values(), (4.0, 6.5, 12.0), strict=True)),
            LARGE: dict(zip(DOCUMENTED.values(), (3.0, 4.5, 8.5), strict=True)),
        },
        "densities",
    ),
    "gradients": peers(
        [
            GRADIENT,
            *(Subject(code, GRADIENT.program) for code in DOCUMENTED),
            *(Subject("jaxpm", f"{GRADIENT.program}{steps}") for steps in JAXPM_STEPS),
        ],
        "Reverse mode: gradient of the mean squared density of the same N-body with respect to its linear field",
        {SIZE: {Subject("pmwd", GRADIENT.program): 1.7, Subject("jaxpm", GRADIENT.program): 5.0}},
        "gradients",
    ),
    "steps": pairs(
        {own(f"{GRADIENT.program}, {steps} steps"): GRADIENT for steps in (5, 20, 40)},
        "Memory of reverse mode for several numbers of steps, compared with 10 steps",
        {f"{GRADIENT.program}, {steps} steps": Bar("memory_ratio", at_most=1.5) for steps in (20, 40)},
        [SIZE],
        drawn="memory_ratio",
    ),
    "tangents": Table(
        f"Derivatives with respect to 6 parameters, {SIZE}^3 particles; central differences would take 13 times a run",
        {
            "cores": "cores",
            "program": "program",
            "cpu": "CPU [s]",
            "cpu_ratio": "CPU / without tangents",
            "wall_ratio": "wall / without tangents",
            "compilation": "compilation [s]",
            "compilation_cpu": "its CPU [s]",
            "cached": "from the cache [s]",
            "cached_cpu": "its CPU [s]",
            "peak_memory": "peak memory [MB]",
        },
        tangent_rows,
        tangent_bars,
    ),
    "jacobian": Table(
        f"C_ell and peaks of the maps of a box, {SIZE}^3 particles, and their Jacobian with respect to 6 parameters",
        {
            "program": "way",
            "cores": "cores",
            "cpu": "one run: CPU [s]",
            "runs": "runs",
            "cpu_all": "all of them: CPU [s]",
            "all_ratio": "all / the data alone",
            "peak_memory": "peak memory [MB]",
            "compilation": "compilation [s]",
        },
        jacobian_rows,
        drawn="all_ratio",
    ),
    "statistics": pairs(
        {own(each): own("DLL N-body") for each in ("DLL statistics", "DLL statistics, 5 tangents")},
        "C_ell and peaks of a map of configs/dll.yaml, without and with Jacobian, compared with the N-body of a box",
        {"DLL statistics, 5 tangents": Bar("ratio", at_most=0.2)},
        [SIZE],
    ),
    "corrections": pairs(
        {own(f"N-body, {kind}"): NBODY for kind in ("HPN", "PGD")},
        "Corrections of small scales: N-body with a correction, compared with the same N-body without",
        {f"N-body, {kind}": Bar("ratio", at_most=1.3) for kind in ("HPN", "PGD")},
    ),
    "adjoints": pairs(
        {
            own(f"gradient, {steps}, {each}"): own(f"loss, {steps}")
            for steps, adjoints in ADJOINTS.items()
            for each in adjoints
        },
        "Gradient of the training loss with respect to the weights, compared with the loss",
        {},
        [SIZE],
    ),
    "systematics": pairs(
        {
            own("5 bins, 6 tangents"): own("5 bins"),
            own("5 bins, 6 tangents, 8 of systematics"): own("5 bins, 6 tangents"),
        },
        "Maps of five tomographic bins with tangents, compared with maps with fewer tangents",
        {"5 bins, 6 tangents, 8 of systematics": Bar("ratio", at_most=1.1)},
        [SIZE],
    ),
    "scaling": pairs(
        {
            own(f"kappa, {more}"): own("kappa")
            for more in ("22 planes", "512 pixels", "16 realisations", "1 tangents", "3 tangents")
        },
        "Maps of a box with more planes, pixels, realisations or tangents, compared with those of config.yaml",
        {},
        [SIZE],
    ),
    "processes": Table(
        f"Boxes of config.yaml per second, {SIZE}^3 particles",
        {"program": "how", "processes": "processes", "cores": "threads of each", "rate": "boxes / s", "gain": "gain"},
        process_rows,
        drawn="rate",
    ),
    "devices": Table(
        f"Maps of a box of config.yaml, {LARGE}^3 particles, split over two devices that are halves of the cores",
        {
            "program": "program",
            "cores": "cores",
            "cpu": "CPU [s]",
            "wall": "wall [s]",
            "cpu_ratio": "CPU / one device",
            "wall_ratio": "wall / one device",
            "compilation": "compilation [s]",
            "peak_memory": "peak memory [MB]",
        },
        device_rows,
        device_bars,
        drawn="wall_ratio",
    ),
    "precision": Table(
        "Single compared with double precision: largest error, relative to the number itself",
        {"result": "result", "error": "error"},
        precision_rows,
        drawn="error",
    ),
    "campaign": Table(
        "The programs of a campaign",
        {
            "program": "program",
            "cpu": "CPU [s]",
            "wall": "wall [s]",
            "compilation": "compilation [s]",
            "peak_memory": "peak memory [MB]",
        },
        campaign_rows,
        drawn="wall",
    ),
    "overhead": Table(
        "A campaign in the workflow, compared with a bare loop over its batches",
        {
            "run": "run",
            "cores": "cores",
            "jobs": "jobs",
            "wall": "wall [s]",
            "loop_wall": "wall, bare loop [s]",
            "wall_ratio": "wall / bare loop",
            "cpu_ratio": "CPU / bare loop",
        },
        overhead_rows,
        overhead_bars,
        drawn="wall_ratio",
    ),
    "scale": Table(
        "Campaigns of many batches of two jobs each, with scripts that only touch their outputs",
        {
            "batches": "batches",
            "call": "call of Snakemake",
            "cores": "cores",
            "wall": "wall [s]",
            "cpu": "CPU [s]",
            "peak_memory": "peak memory [MB]",
        },
        scale_rows,
        scale_bars,
        drawn="wall",
    ),
}
