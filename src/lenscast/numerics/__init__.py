"""Quadrature, interpolation, Fourier wavenumbers, rules for the compiler: what no library offers and physics shares."""
