"""Sums over inputs as a compiled loop; loading it takes numba, so only who needs it imports it."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


# No fastmath: the sums are those of torch's index_add_ to the last bit. Two tables rather than
# four, and the caller's memory: what a call costs is counted per array, and in allocations.
@numba.njit(cache=True)
def weighted_sums(
    rows: NDArray[np.floating],
    sums: NDArray[np.floating],
    places: NDArray[np.int64],
    numbers: NDArray[np.floating],
) -> None:
    """Sums of some numbers of each row, added up in the order given.

    Args:
        rows: [rows, inputs].
        sums: [rows, sums]; filled here.
        places: The column of each term, the terms of the first sum first; then where the terms
            of each sum end. The caller has checked that the columns are there.
        numbers: The factor of each term; then what each sum starts from.
    """
    num_terms = places[-1]
    for row in range(len(rows)):
        term = 0
        for index in range(sums.shape[1]):
            total = numbers[num_terms + index]
            while term < places[num_terms + index]:
                total += rows[row, places[term]] * numbers[term]
                term += 1
            sums[row, index] = total
