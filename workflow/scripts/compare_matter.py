"""Matter of a reference and of simulations from its start: without correction, with the trained network, with PGD."""

from _job import start

log = start(snakemake)

from lenscast import io
from lenscast.corrections.reference import snapshots
from lenscast.io.references import load_reference
from lenscast.sections.box import MethodSection
from lenscast.validation.matter import checks, matter_comparison
from lenscast.validation.slices import densest_point, density_slice

p, name = snakemake.params, snakemake.wildcards.reference
reference = load_reference(snakemake.input.reference)
integrator = MethodSection.model_validate(p.simulation).integrator
mesh, simulated = reference.mesh, {"pm": snapshots(reference, integrator)}
for kind in ("hpn", "pgd"):
    trained = io.load_correction(snakemake.input[kind], kind)
    io.warn_of_mismatch(trained.card, mesh, integrator, snakemake.input[kind])
    simulated[kind] = snapshots(reference, integrator, trained.correction)
table = matter_comparison(simulated, reference)
io.save_table(snakemake.output.table, table)
for row in checks(table).query("variant != 'pm'").itertuples():
    log.info(
        "%s at a = %.3g: cross-correlation below that of plain PM in %d of %d shells up to Nyquist, by %.2g at most "
        "(k = %.2g h/Mpc); power for k <= %.2g h/Mpc changed by %.2g at most",
        *(row.variant, row.a, row.worse_shells, row.shells, max(row.largest_loss, 0), row.loss_k),
        *(row.low_k, row.low_k_change),
    )

last = {kind: positions[-1] for kind, positions in simulated.items()} | {"reference": reference.position[-1]}
centre = densest_point(last["reference"], mesh.box_size, mesh.particles)
slabs, refinement = max(2, mesh.particles // p.thickness), min(max(2, p.points // mesh.particles), 4)
slices = {
    kind: io.Variable(
        density_slice(position, mesh, centre, 2 * mesh.particles, slabs, refinement),
        ("y", "x"),
        "1",
        "projected density, in units of the mean",
    )
    for kind, position in last.items()
}
row = {"name": name, "a": reference.a[-1], "Omega_m": reference.cosmology.parameters.Omega_m}
row |= {"particles": mesh.particles, "box_size": mesh.box_size, "thickness": mesh.box_size / slabs}
columns = {key: [value if isinstance(value, str) else float(value)] for key, value in row.items()}
command = f"snakemake --config training=training.yaml -- {snakemake.output.slices}"
io.save(snakemake.output.slices, slices, {"simulation": columns}, io.provenance(p.config, [], command))
