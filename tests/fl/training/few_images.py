"""A data set for commands in processes of their own: to read the digits they import scikit-learn, a second each."""

import torch

from fl.training.data.dataset import Dataset, Samples


def few_images() -> Dataset:
    """Of three labels, each with a row of its own that is white."""
    labels = torch.arange(150) % 3
    images = torch.randint(0, 99, (150, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[torch.arange(150), :, labels * 2] = 255
    return Dataset("few images", ("0", "1", "7"), Samples(images[:90], labels[:90]), Samples(images[90:], labels[90:]))


FEW_IMAGES = ("--dataset", f"{__name__}:{few_images.__name__}", "--model", "small-cnn")
"""The options that name it."""
