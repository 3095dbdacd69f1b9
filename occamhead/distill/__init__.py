"""From a discrete head to a short program: :func:`distill`, and :func:`lift` to every size."""

import sys
from types import ModuleType
from typing import Any

from occamhead.distill.programs import distill, source
from occamhead.distill.prove import Certificate, prove
from occamhead.distill.sizes.lift import lift, lift_step
from occamhead.distill.sizes.lifted import Lifted
from occamhead.distill.sizes.lifted_certificate import LiftedCertificate
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


class _Distill(ModuleType):
    """A package that is called as its main function is: ``from occamhead import distill``."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return distill(*args, **kwargs)


sys.modules[__name__].__class__ = _Distill
