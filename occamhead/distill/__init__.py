"""From a discrete head to a short program: :func:`distill`, and :func:`lift` to every size."""

from occamhead.distill.lift import lift, lift_step
from occamhead.distill.lifted import Lifted, LiftedCertificate
from occamhead.distill.programs import distill, source
from occamhead.distill.prove import Certificate, prove
from occamhead.distill.spec import Bool, FeatureSpec, Int

__all__ = [
    "Bool",
    "Certificate",
    "FeatureSpec",
    "Int",
    "Lifted",
    "LiftedCertificate",
    "distill",
    "lift",
    "lift_step",
    "prove",
    "source",
]
