"""Clusters: classes that a generalist often predicts together (Hinton et al. 2015, section 5.3)."""

import torch
from torch import Tensor

from kdistill.errors import UserError


def cluster_classes(
    probabilities: Tensor, clusters: int, seed: int, size: int | None = None
) -> list[tuple[int, ...]]:
    """Sets of classes, each ascending, from predictions [n, classes]; no labels are looked at.

    On-line K-means with `clusters` (2 to classes) means on the columns of the predictions'
    covariance matrix. size None: each class belongs to the mean nearest to it; else each set is the
    `size` (1 to classes - 1) classes nearest to a mean, so that sets may overlap. Equal or empty
    sets are left out; UserError where one set would hold all classes.
    """
    from sklearn.cluster import MiniBatchKMeans  # a second to import

    covariance = torch.cov(probabilities.double().T).numpy()
    means = MiniBatchKMeans(clusters, random_state=seed, n_init=10).fit(covariance)
    if size is None:
        nearest = torch.from_numpy(means.labels_)
        sets = {tuple((nearest == each).nonzero().flatten().tolist()) for each in range(clusters)}
    else:
        distances = torch.from_numpy(means.transform(covariance))
        chosen = distances.argsort(dim=0, stable=True)[:size].sort(dim=0).values
        sets = {tuple(column) for column in chosen.T.tolist()}
    if len(sets - {()}) == 1 and size is None:
        raise UserError(
            "teacher.clusters: the generalist confuses all classes alike, so that they are one "
            "cluster; train it longer (teacher.fit.epochs)"
        )
    return sorted(sets - {()})
