"""Numerical building blocks that no library offers in this form and several parts of the physics share.

Quadrature, interpolation, Fourier wavenumbers, and control over what the compiler fuses. Nothing here knows cosmology.
"""
