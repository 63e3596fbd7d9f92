"""One module for each code: its `PROGRAMS` are functions from the workload to the program that does it, by name."""
