"""Gadget's HDF5 format: header, units and dark matter of a snapshot in one file or several.

Knows names, shapes and units of the format, and that every part is there. What the numbers mean for a lattice of
particles is left to `snapshots`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from jaxtyping import Float, Integer

BLOCKS = ("Coordinates", "Velocities", "ParticleIDs")
SHARED = ("Time", "Redshift", "BoxSize", "Omega0", "HubbleParam", "NumPart_Total", "NumFilesPerSnapshot", "MassTable")
"""Attributes that all files of a snapshot share."""

KPC, MPC, MASS, VELOCITY = 3.085678e21, 3.085678e24, 1.989e43, 1e5  # usual units in cm, g and cm/s


@dataclass(frozen=True)
class Header:
    """Header of a file; in Gadget-4 and Arepo with what the group Parameters adds.

    Parameters
    ----------
    path
        The file, for error texts.
    attributes
        Attributes by their names in the file.
    """

    path: Path
    attributes: Mapping[str, Any]

    def number(self, name: str, most: float = math.inf) -> float:
        """Return a positive number.

        Raises
        ------
        ValueError
            If there is none, or it is not above 0 and at most `most`.
        """
        if name not in self.attributes:
            raise ValueError(f"{self.path}: the header has no {name}, only {sorted(self.attributes)}")
        value = np.unique(self.attributes[name])  # some codes give the side of a box three times
        if value.size != 1 or not 0 < value.item() <= most:
            given = np.asarray(self.attributes[name]).tolist()
            raise ValueError(f"{self.path}: {name} = {given} in the header: give one above 0, at most {most}")
        return float(value.item())

    def optional(self, name: str) -> float | None:
        """Return a positive number, or None where there is none or 0, which files write for what they do not know."""
        return self.number(name) if np.any(self.attributes.get(name, 0)) else None

    @property
    def counts(self) -> Integer[np.ndarray, " type"]:
        """Particles of each type in all files."""
        low = np.asarray(self.attributes["NumPart_Total"]).astype(np.int64)
        return low + (np.asarray(self.attributes.get("NumPart_Total_HighWord", 0 * low)).astype(np.int64) << 32)

    @property
    def length(self) -> float:
        """Unit of length [Mpc/h]; that of Gadget, kpc/h, unless stated.

        Raises
        ------
        ValueError
            For another than kpc/h and Mpc/h.
        """
        unit = self.optional("UnitLength_in_cm") or KPC
        for known, length in ((KPC, 1e-3), (MPC, 1.0)):
            if math.isclose(unit, known, rel_tol=1e-4):
                return length
        raise ValueError(f"{self.path}: UnitLength_in_cm = {unit}: convert to kpc/h ({KPC}) or Mpc/h ({MPC})")

    @property
    def velocity(self) -> float:
        """Unit of velocity [km/s]; 1 unless stated."""
        return (self.optional("UnitVelocity_in_cm_per_s") or VELOCITY) / VELOCITY

    @property
    def particle_mass(self) -> float:
        """Mass of a particle of dark matter [1e10 Msun/h]; 0 if the header does not tell."""
        masses = np.asarray(self.attributes.get("MassTable", (0.0, 0.0)))
        return float(masses[1]) * (self.optional("UnitMass_in_g") or MASS) / MASS


class DarkMatter(NamedTuple):
    """Dark matter of a snapshot, as stored.

    Attributes
    ----------
    header
        Header of the requested file.
    position, velocity
        Positions and velocities in units of the file.
    ids
        Identities of the particles.
    """

    header: Header
    position: Float[np.ndarray, "particle 3"]
    velocity: Float[np.ndarray, "particle 3"]
    ids: Integer[np.ndarray, " particle"]


def files_of(path: Path) -> list[Path]:
    """All files of a snapshot, given any one of them.

    Raises
    ------
    ValueError
        For a folder, a file that is not of this format, and a snapshot that lacks a file.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the snapshot's file, or any one of its files")
    return _parts(path, int(_header(path).number("NumFilesPerSnapshot")))


def dark_matter(path: Path) -> DarkMatter:
    """Read a snapshot, given its file or any one of its files.

    Raises
    ------
    ValueError
        For a folder, a file that is not of this format, matter other than of type 1, and a snapshot that lacks a file
        or a block.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the snapshot's file, or any one of its files")
    header = _header(path)
    types = np.flatnonzero(header.counts).tolist()
    if types != [1]:
        raise ValueError(
            f"{path} has particles of types {types}: only dark-matter-only snapshots are read (type 1 alone), since a "
            "lattice holds one kind of particle; take the dark-matter-only run of the same initial conditions"
        )
    parts = _parts(path, int(header.number("NumFilesPerSnapshot")))
    headers = [_header(part) for part in parts]
    _require_one_snapshot(header, headers)
    pieces = [_blocks(each) for each in headers if each.attributes["NumPart_ThisFile"][1]]
    position, velocity, ids = (np.concatenate(block) for block in zip(*pieces, strict=True))
    if not position.shape == velocity.shape == (len(ids), 3) == (header.counts[1], 3):
        raise ValueError(
            f"{path}: blocks of shapes {position.shape}, {velocity.shape} and {ids.shape} in {len(parts)} files, but "
            f"the header counts {header.counts[1]} particles: a file is damaged or of another snapshot; copy it again"
        )
    return DarkMatter(header, position, velocity, ids)


def _header(path: Path) -> Header:
    """The header of one file."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            groups = [dict(file[name].attrs) for name in ("Parameters", "Header") if name in file]
    except OSError as error:
        if type(error) is not OSError:
            raise
        raise ValueError(f"{path} is truncated, damaged or not HDF5 ({error})") from error
    attributes = {name: value for group in groups for name, value in group.items()}
    if any(np.size(attributes.get(name, 0)) < 2 for name in ("NumPart_Total", "NumPart_ThisFile")):
        raise ValueError(f"{path} does not count its particles by type in NumPart_Total and NumPart_ThisFile of Header")
    return Header(path, attributes)


def _parts(path: Path, files: int) -> list[Path]:
    """All files of the snapshot that one file is part of."""
    if files == 1:
        return [path]
    name = re.fullmatch(r"(.+\.)\d+(\.\w+)", path.name)
    if name is None:
        raise ValueError(f"{path} is one of {files} files of a snapshot: number them like {path.stem}.0{path.suffix}")
    parts = [path.with_name(f"{name[1]}{index}{name[2]}") for index in range(files)]
    missing = [part.name for part in parts if not part.exists()]
    if missing:
        raise ValueError(f"{path} is one of {files} files of a snapshot, but {missing} are not beside it")
    return parts


def _require_one_snapshot(header: Header, parts: Sequence[Header]) -> None:
    """Refuse files whose headers differ in what all files of a snapshot share, or whose counts do not add up."""
    for part in parts:
        for name in SHARED:
            first, second = (np.ravel(each.attributes.get(name, np.nan)) for each in (header, part))
            if first.shape != second.shape or not np.allclose(first, second, rtol=1e-6, atol=0, equal_nan=True):
                raise ValueError(
                    f"{part.path} has {name} = {second.tolist()}, and {header.path} {first.tolist()}: they are files "
                    "of two snapshots; copy them again"
                )
    counted = sum(int(part.attributes["NumPart_ThisFile"][1]) for part in parts)
    if counted != header.counts[1]:
        raise ValueError(
            f"{header.path}: NumPart_ThisFile of its {len(parts)} files adds up to {counted}, but the header counts "
            f"{header.counts[1]} particles: a file is of another snapshot; copy it again"
        )


def _blocks(header: Header) -> list[np.ndarray]:
    """Positions, velocities and IDs of the dark matter in one file."""
    path, count = header.path, int(header.attributes["NumPart_ThisFile"][1])
    with h5py.File(path, "r", locking=False) as file:
        group = file.get("PartType1", {})
        missing = [name for name in BLOCKS if name not in group]
        if missing:
            raise ValueError(f"{path}: PartType1 has no {missing}, only {sorted(group)}; write snapshots with {BLOCKS}")
        for name in BLOCKS:
            if len(group[name]) != count:
                raise ValueError(
                    f"{path}: {name} has {len(group[name])} rows, but NumPart_ThisFile counts {count} particles: the "
                    "file is damaged; copy it again"
                )
        return [group[name][()] for name in BLOCKS]
