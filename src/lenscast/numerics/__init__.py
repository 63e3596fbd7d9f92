"""Quadrature, interpolation and Fourier wavenumbers: what the physics modules share and no library offers."""
