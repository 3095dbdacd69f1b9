"""Laws that need no search: what linear algebra finds in a table in about a second.

Sums, products, quotients and powers of enumerated functions are linear in their unknown numbers,
after a transform of the target: so all singles and pairs of some thousand functions are judged by
one matrix of moments, and quotients of polynomials by a null vector. What looks right is fitted
and judged as a formula.
"""

from occamhead.direct.fit import Interrupted, fit_direct
from occamhead.direct.front import Law
from occamhead.direct.stages import MOST_FUNCTIONS

__all__ = ["MOST_FUNCTIONS", "Interrupted", "Law", "fit_direct"]
