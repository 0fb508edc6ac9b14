"""Speech: the figures of frames, and how many recordings are recognised wrongly from them."""

import torch
from torch import Tensor

from kdistill.artifacts.result import Measure
from kdistill.data.batch import Dataset
from kdistill.data.labels import labels_of
from kdistill.errors import UserError
from kdistill.measures.calibration import BINS
from kdistill.measures.figures import log_probabilities
from kdistill.measures.intervals import wilson
from kdistill.measures.viterbi import best_paths, by_recording
from kdistill.tasks.classification import MAIN, Classification


class Speech(Classification):
    """Classification of frames, and `recordings_wrong`, where the data say whose frames they are.

    The classes are the states of words, in order: word 0 state 0, word 0 state 1 ... A recording is
    the word whose left-to-right model has the best path through its frames; a state's score is its
    posterior divided by its prior, the share of the training labels (Bourlard & Morgan 1994).
    """

    mains = (*MAIN, "recordings_wrong")

    def __init__(self, main: str = "accuracy", bins: int = BINS, states: int = 3) -> None:
        super().__init__(main, bins)
        if states < 1:
            raise ValueError(f"states must be >= 1, got {states}")
        self.states = states
        self._log_prior: Tensor | None = None

    def bind(self, dataset: Dataset, taught: bool) -> None:
        """Takes the priors; refuses data that are no frames of words."""
        super().bind(dataset, taught)
        classes, labels = len(dataset.classes), labels_of(dataset.train)
        if dataset.test.group is None or labels is None or classes % self.states:
            raise UserError(
                f"task: speech needs labelled frames of recordings and {self.states} classes "
                f"for each word, which {dataset.name} does not have; use task=classification, "
                "or dataset=spoken_digit_frames"
            )
        counts = labels.bincount(minlength=classes).clamp(min=1)
        self._log_prior = (counts.double() / len(labels)).log()

    def figures(
        self,
        answer: Tensor,
        targets: Tensor | None = None,
        teacher: Tensor | None = None,
        group: Tensor | None = None,
    ) -> dict[str, Measure]:
        """As Classification; with targets and `group` [n], the recording of each, also
        recordings_wrong. One of fewer frames than states counts as wrong."""
        figures = super().figures(answer, targets, teacher)
        if targets is None or group is None:
            return figures
        heard, spoken = self.recognised(answer, targets, group)
        n, wrong = len(spoken), int((heard != spoken).sum())
        low, high = wilson(wrong, n)
        ends = n * low, n * high
        counted = Measure(float(wrong), n, ends, "count", "lower", "Recordings wrong")
        return {**figures, "recordings_wrong": counted}

    def recognised(self, logits: Tensor, labels: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
        """(heard, spoken): words of each recording, [recordings] int64; heard is -1 without a path.

        Of one recording all labels are states of the same word.
        """
        if self._log_prior is None:
            raise ValueError("Speech.bind gives the priors, and was not called")
        likelihoods = log_probabilities(logits) - self._log_prior
        of_words = likelihoods.view(len(likelihoods), -1, self.states)
        scores, lengths, first = by_recording(of_words, group.cpu())
        best = best_paths(scores, lengths).max(1)
        heard = torch.where(best.values.isfinite(), best.indices, -1)
        return heard, labels.cpu()[first] // self.states
