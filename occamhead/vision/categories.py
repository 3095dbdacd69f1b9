"""Names of the classes that pretrained classifiers tell apart."""

from collections.abc import Iterable

from occamhead.checks import needs


def imagenet_categories() -> tuple[str, ...]:
    """ImageNet's 1000 classes in the order of every classifier of them."""
    with needs("torchvision", "naming ImageNet's classes"):
        from torchvision.models import ResNet50_Weights
    return tuple(ResNet50_Weights.IMAGENET1K_V1.meta["categories"])


def timm_categories(count: int) -> tuple[str, ...] | None:
    """The classes of a classifier of timm that tells so many apart; None if they are not known."""
    if count == 1000:
        return imagenet_categories()
    with needs("timm", "naming the classes of its models"):
        from timm.data import ImageNetInfo, infer_imagenet_subset
    subset = infer_imagenet_subset({"num_classes": count})
    return None if subset is None else first_words(ImageNetInfo(subset).label_descriptions())


def first_words(descriptions: Iterable[str]) -> tuple[str, ...]:
    """Of "tench, Tinca tinca" the first."""
    return tuple(text.split(",")[0] for text in descriptions)
