"""Laws and classes from tables: the scikit-learn estimators."""

from occamhead.checks import needs

with needs("scikit-learn", "occamhead.tables (OccamRegressor)", "tabular"):
    import sklearn  # noqa: F401

from occamhead.tables.estimators import OccamClassifier, OccamRegressor
from occamhead.tables.no_law import NoLawWarning

__all__ = ["NoLawWarning", "OccamClassifier", "OccamRegressor"]
