"""One module a code: `PROGRAMS`, by name, functions from the workload to the program that does it."""
