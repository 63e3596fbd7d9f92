"""Summary statistics of convergence maps: what each one measures, and how it is differentiated."""
