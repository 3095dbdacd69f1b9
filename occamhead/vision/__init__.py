"""Labelled pictures, frozen pretrained backbones, and their features cached on disk."""

from occamhead.checks import needs

with needs("Pillow", "occamhead.vision (pictures)"):
    import PIL  # noqa: F401

from occamhead.vision.backbones import (
    Backbone,
    build_backbone,
    load_backbone,
    load_transform,
)
from occamhead.vision.datamodules import (
    FeatureData,
    MNISTData,
    PictureData,
    PictureRows,
    featurise,
)
from occamhead.vision.digits import mnist_splits
from occamhead.vision.downloads import reachable
from occamhead.vision.feature_files import StoredFeatures, stored_features
from occamhead.vision.features import best_device, cached_features, extract, pixels
from occamhead.vision.pictures import (
    PictureArrays,
    PictureFiles,
    Pictures,
    PictureTensors,
    Splits,
    hold_out,
    read_folder,
)
from occamhead.vision.sources import find, photograph_splits

__all__ = [
    "Backbone",
    "FeatureData",
    "MNISTData",
    "PictureArrays",
    "PictureData",
    "PictureFiles",
    "PictureRows",
    "PictureTensors",
    "Pictures",
    "Splits",
    "StoredFeatures",
    "best_device",
    "build_backbone",
    "cached_features",
    "extract",
    "featurise",
    "find",
    "hold_out",
    "load_backbone",
    "load_transform",
    "mnist_splits",
    "photograph_splits",
    "pixels",
    "reachable",
    "read_folder",
    "stored_features",
]
