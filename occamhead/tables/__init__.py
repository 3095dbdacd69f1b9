"""Laws and classes from tables: the scikit-learn estimators."""

from occamhead.tables.estimators import OccamClassifier, OccamRegressor

__all__ = ["OccamClassifier", "OccamRegressor"]
