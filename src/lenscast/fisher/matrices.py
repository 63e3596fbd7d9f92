"""Algebra of Fisher matrices: errors, priors, inversion.

A `FisherMatrix` holds information: selecting parameters fixes the others. Its inverse, a `ParameterCovariance`, holds
errors: selecting marginalises over the others. How a Fisher matrix is estimated is left to `estimators`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lenscast.fisher.derived import DerivedParameter, derived_jacobian
from lenscast.fisher.linalg import cholesky_factor, is_positive_definite
from lenscast.fisher.names import positions, require_unique

DELTA_CHI2: Mapping[float, float] = MappingProxyType({0.68: 2.30, 0.95: 6.18})
"""Delta chi^2 of contours that enclose this probability in two dimensions."""


def prior_information(names: Sequence[str], priors: Mapping[str, float]) -> Float[np.ndarray, "param param"]:
    """Information 1/sigma^2 of independent Gaussian priors, a diagonal matrix.

    Parameters
    ----------
    names
        Parameters.
    priors
        Standard deviation sigma of each prior, by name of the parameter; parameters without prior have no information.

    Raises
    ------
    ValueError
        If a parameter is unknown or a sigma is not positive.
    """
    indices = positions(tuple(priors), names, "parameter with a prior")
    sigma = np.array([float(value) for value in priors.values()])
    if not np.all(sigma > 0):
        raise ValueError(f"prior widths must be positive, got {dict(priors)}")
    matrix = np.zeros((len(names), len(names)))
    matrix[indices, indices] = sigma**-2
    return matrix


@dataclass(frozen=True)
class ParameterCovariance:
    """Gaussian posterior of named parameters.

    Parameters
    ----------
    names
        Parameters.
    fiducial
        Their values, the centre of the posterior.
    matrix
        Covariance.
    """

    names: tuple[str, ...]
    fiducial: Float[np.ndarray, " param"]
    matrix: Float[np.ndarray, "param param"]

    @property
    def marginal_errors(self) -> Float[np.ndarray, " param"]:
        """Standard deviation of each parameter, marginalised over the others."""
        return np.sqrt(np.diag(self.matrix))

    @property
    def correlation(self) -> Float[np.ndarray, "param param"]:
        """Correlation coefficients."""
        return self.matrix / np.outer(self.marginal_errors, self.marginal_errors)

    def select(self, names: Sequence[str]) -> "ParameterCovariance":
        """Posterior of the named parameters, marginalised over the others.

        Parameters
        ----------
        names
            Parameters to keep, in this order.

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        indices = positions(names, self.names, "parameter")
        return ParameterCovariance(tuple(names), self.fiducial[indices], self.matrix[np.ix_(indices, indices)])

    def with_derived(self, derived: Sequence[DerivedParameter]) -> "ParameterCovariance":
        """Append derived parameters by linear propagation, with parameters outside the posterior held fixed.

        The result is singular: a derived parameter adds a row but no freedom.

        Parameters
        ----------
        derived
            Derived parameters.
        """
        jacobian = derived_jacobian(self.names, derived)
        return ParameterCovariance(
            (*self.names, *(d.name for d in derived)),
            np.concatenate([self.fiducial, [d.value for d in derived]]),
            jacobian @ self.matrix @ jacobian.T,
        )


@dataclass(frozen=True)
class FisherMatrix:
    """Information on named parameters.

    Parameters
    ----------
    names
        Parameters.
    fiducial
        Values at which the derivatives were taken.
    matrix
        Symmetric matrix; an unbiased estimate may be indefinite.

    Raises
    ------
    ValueError
        If names repeat, shapes do not fit, or the matrix is not finite or not symmetric.
    """

    names: tuple[str, ...]
    fiducial: Float[np.ndarray, " param"]
    matrix: Float[np.ndarray, "param param"]

    def __post_init__(self) -> None:
        require_unique(self.names, "parameter")
        count = len(self.names)
        if self.fiducial.shape != (count,) or self.matrix.shape != (count, count):
            raise ValueError(f"{count} parameters with fiducial {self.fiducial.shape} and matrix {self.matrix.shape}")
        # parameters differ by orders of magnitude, so that an element is compared with the diagonal of its row and
        # column; the comparison is false for NaN
        scale = np.sqrt(np.abs(np.outer(np.diag(self.matrix), np.diag(self.matrix))))
        if not np.all(np.abs(self.matrix - self.matrix.T) <= 1e-8 * scale):
            raise ValueError(f"the Fisher matrix of {', '.join(self.names)} is not symmetric and finite")

    @property
    def is_positive_definite(self) -> bool:
        """Whether it has an inverse that is a covariance."""
        return is_positive_definite(self.matrix)

    @property
    def conditional_errors(self) -> Float[np.ndarray, " param"]:
        """Error of each parameter with the others fixed; NaN where the information is not positive."""
        information = np.diag(self.matrix)
        return 1 / np.sqrt(np.where(information > 0, information, np.nan))

    def inverse(self) -> ParameterCovariance:
        """Covariance of the parameters, by Cholesky decomposition.

        Raises
        ------
        ValueError
            If the matrix is not positive definite; names the unconstrained direction.
        """
        remedy = "add data, priors or boxes of derivatives, or fix one of these parameters"
        factor = cholesky_factor(self.matrix, self.names, "the Fisher matrix", remedy)
        return ParameterCovariance(self.names, self.fiducial, linalg.cho_solve((factor, True), np.eye(len(self.names))))

    def select(self, names: Sequence[str]) -> "FisherMatrix":
        """Information on the named parameters, with the others fixed.

        Parameters
        ----------
        names
            Parameters to keep, in this order.

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        indices = positions(names, self.names, "parameter")
        return FisherMatrix(tuple(names), self.fiducial[indices], self.matrix[np.ix_(indices, indices)])

    def rescale(self, factor: float) -> "FisherMatrix":
        """Information times a factor.

        Parameters
        ----------
        factor
            Such as a ratio of sky areas.
        """
        return replace(self, matrix=factor * self.matrix)

    def with_priors(self, priors: Mapping[str, float]) -> "FisherMatrix":
        """Add the information 1/sigma^2 of independent Gaussian priors.

        Parameters
        ----------
        priors
            Standard deviation sigma of each prior, by name of the parameter.

        Raises
        ------
        ValueError
            If a parameter is unknown or a sigma is not positive.
        """
        return replace(self, matrix=self.matrix + prior_information(self.names, priors))
