"""From a discrete head to a short program that is proven to equal it; see :func:`distill`."""

from occamhead.distill.programs import distill, source
from occamhead.distill.prove import Certificate, prove
from occamhead.distill.spec import Bool, FeatureSpec, Int

__all__ = ["Bool", "Certificate", "FeatureSpec", "Int", "distill", "prove", "source"]
