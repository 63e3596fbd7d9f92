def errors_and_report():
    """The last screen: errors of all data vectors with verdicts, bins that are not Gaussian, and where the report is."""
    import pandas  # here: every job reads this file

    from lenscast.fisher.shown_tables import screen_bins, screen_table

    title = "\nErrors with priors, and their 68 % limits:\n"
    targets = {*workflow.dag_settings.targets} - {"all", "merge"}
    if "reanalyse" in targets:
        tables = pandas.read_csv(f"{REANALYSIS}/parameters.csv").groupby("data_vector", sort=False)
        return f"{title}{screen_table(dict(iter(tables)))}\n\nTables and figures are in {REANALYSIS}"
    if "measure_maps" in targets:
        return f"Data vectors and derivatives are in results/{MAP_CAMPAIGN.run}"
    if targets & {"train_correction", "validate_matter"}:
        return f"Weights, tables and figures are in {TRAINED}"
    if targets & {"sample_field", "check_coverage"}:
        return f"Tables are in {RESULTS}/field_level, figures in {RESULTS}/figures"
    if targets == {"compare_with_field"}:
        return f"Tables are {RESULTS}/simulation_based/<data vector>/mocks.csv and {RESULTS}/field_level/coverage.csv"
    if targets == {"learn_posteriors"}:
        return f"Tables are in {RESULTS}/simulation_based, the figure is {RESULTS}/figures/sbi_triangle.png"
    if targets == {"compare_posteriors"}:
        return f"Tables are in {RESULTS}/posterior, the figure is {RESULTS}/figures/posteriors.png"
    if targets or not all(Path(table).exists() for table in forecast_tables()):
        return f"Figures are in {RESULTS}/figures, tables in {RESULTS}/fisher"
    tables = {name: pandas.read_csv(path) for name, path in zip(DATA_VECTORS, forecast_tables())}
    bins = screen_bins({name: pandas.read_csv(f"{RESULTS}/fisher/{name}_bins.csv") for name in DATA_VECTORS})
    page = f"Report: {Path(RESULTS, 'report.html').absolute()}"
    return "\n\n".join([f"{title}{screen_table(tables)}", *([bins] if bins else []), page])
