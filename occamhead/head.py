"""OccamHead: a classifier head that is a formula."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from occamhead.bases import Basis
from occamhead.expression import Expression, ExpressionBuilder, FormulaModule
from occamhead.network import OccamNet, check_counts, check_features
from occamhead.objective import standardisation

FORMAT, VERSION = "occamhead.head", 1

# Logit of an edge that must not be chosen: its probability and its gradient are exactly zero.
BARRED = -1e4


class OccamHead(nn.Module):
    """A head whose every class score is a formula of the features.

    In ``train()`` mode it runs the soft OccamNet on standardised features. In ``eval()`` mode it
    runs the formula that :meth:`formula` prints, on the raw features, at a cost that grows with
    the formula. ``soft_eval = True`` makes ``eval()`` run the soft network instead.

    Args:
        in_features: Number of features.
        out_features: Number of scores (classes).
        bases: Bases of every layer, or one sequence per layer; see :class:`OccamNet`. By
            default a score is a weighted sum of at most 20 features.
        depth: Number of images sublayers, where one set of bases serves all.
        per_class: Give every class nodes of its own rather than share one network.
        skip: Skip connections from features and earlier images to every later softmax.
        constants: Constants appended to the features.
        temperature: T at the start of training.
        last_temperature: T_last of the output's softmax; None takes `temperature`.
        equalisation: E of supplement B.
        noise: Standard deviation of the noise on the initial logits.
        digits: Significant digits of the formula's numbers. The formula is rounded before it is
            run, so what is printed is what classifies.

    Shape:
        Input [batch, in_features]; output [batch, out_features].

    Example:
        >>> head = OccamHead(in_features=8, out_features=2, bases=["affine2"])
        >>> head.eval()(torch.randn(5, 8)).shape
        torch.Size([5, 2])
        >>> len(head.formula())
        2
    """

    feature_mean: Tensor
    feature_scale: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bases: str | Iterable[str | Basis | Sequence[str | Basis]] = ("affine20",),
        depth: int | None = None,
        *,
        per_class: bool = True,
        skip: bool = False,
        constants: Sequence[float] = (),
        temperature: float = 1.0,
        last_temperature: float | None = None,
        equalisation: float = 0.0,
        noise: float = 0.3,
        digits: int = 4,
    ) -> None:
        super().__init__()
        check_counts(digits=digits)
        self.network = OccamNet(
            in_features,
            out_features,
            bases,
            depth,
            constants=constants,
            skip=skip,
            groups=out_features if per_class else 1,
            temperature=temperature,
            last_temperature=last_temperature,
            equalisation=equalisation,
            noise=noise,
        )
        self.digits = digits
        self.soft_eval = False
        self.register_buffer("feature_mean", torch.zeros(in_features))
        self.register_buffer("feature_scale", torch.ones(in_features))
        self._formula_module: FormulaModule | None = None
        self._formula_state: tuple[object, ...] = ()

    @property
    def in_features(self) -> int:
        return self.network.in_features

    @property
    def out_features(self) -> int:
        return self.network.out_features

    # --- the two forms of the head -----------------------------------------------------------

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.soft_eval:
            return self.soft(x)
        check_features(x, self.in_features)
        if not torch.compiler.is_compiling():
            self._refresh()
        assert self._formula_module is not None
        return self._formula_module(x)

    def soft(self, x: Tensor) -> Tensor:
        """Scores of the soft network, whatever the mode.

        Raises:
            ValueError: If the scores are not finite; the message says whether the features or
                the weights are to blame.
        """
        check_features(x, self.in_features)
        scores = self.network((x - self.feature_mean) / self.feature_scale)
        if not torch.compiler.is_compiling() and not scores.isfinite().all():
            self._explain_non_finite(x)
        return scores

    def _explain_non_finite(self, x: Tensor) -> None:
        bad = (~x.isfinite()).nonzero()
        if len(bad):
            row, column = bad[0].tolist()
            raise ValueError(
                f"feature {column} of row {row} is {x[row, column].item()} ({len(bad)} such values"
                " in the batch); clean the features before training"
            )
        raise ValueError(
            "the soft network's scores are not finite although the features are: training"
            " diverged; lower the learning rate, or standardise the features (head.initialise)"
        )

    def train(self, mode: bool = True) -> OccamHead:
        """Switch between the soft network and the formula, which is read off at this moment."""
        super().train(mode)
        if not mode:
            # Here and not in forward: export and compilation must find the formula in place.
            self._formula_state = ()
            self._refresh()
        return self

    def _refresh(self) -> None:
        """Read the formula off anew if the weights have changed since it was read."""
        tensors = [*self.network.parameters(), *self.network.buffers()]
        tensors += [self.feature_mean, self.feature_scale]
        versions = [(id(t), 0 if t.is_inference() else t._version) for t in tensors]
        state = (self.digits, *versions)
        dtype, device = self.feature_mean.dtype, self.feature_mean.device
        module = self._formula_module
        if module is not None and state == self._formula_state and module.constants.dtype == dtype:
            return
        self._formula_module = FormulaModule(self.formula(), dtype=dtype).to(device).train(False)
        self._formula_state = state

    # --- formula ---------------------------------------------------------------------------------

    @torch.no_grad()
    def formula(self, names: Sequence[str] | None = None) -> Expression:
        """The most probable formula of each class over the raw features.

        The standardisation is folded into its numbers, which are rounded to `digits` digits.

        Args:
            names: Names of the features; by default x0, x1, ...
        """
        literal = self.network.expression()
        mean, scale = self.feature_mean.tolist(), self.feature_scale.tolist()
        builder = ExpressionBuilder()
        standardised = {
            i: builder.affine(-mean[i] / scale[i], [(1 / scale[i], builder.input(i))])
            for i in literal.features
        }
        outputs = builder.copy(literal, standardised)
        return builder.build(outputs, self.in_features, names).simplified().rounded(self.digits)

    @torch.no_grad()
    def log_prob(self) -> Tensor:
        """log q of the formula of each class under the network, shape [out_features]."""
        routes, _ = self.network.most_probable()
        return self.network.log_prob(routes)[0]

    # --- preparation -----------------------------------------------------------------------------

    @torch.no_grad()
    def initialise(
        self,
        features: Tensor,
        labels: Tensor | None = None,
        *,
        prior: float = 3.0,
        spread: float = 0.0,
        standardise: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        """Start afresh: draw new weights, fit the standardisation, and prefer telling features.

        Args:
            features: Training features, [rows, in_features].
            labels: Class of each row; without labels no feature is preferred.
            prior: What is added to the logit of an edge to a feature, per standard deviation by
                which the class's mean differs from the mean of the others.
            spread: What is added to the logit of one edge of each P-node, to a feature of its
                own as far as they go round: the first P-node prefers the first feature, and so on.
            standardise: Whether the soft network sees standardised features.
            generator: Source of the new weights; None takes torch's global one.

        Raises:
            ValueError: On a wrong feature count, non-finite features, labels out of range.
        """
        check_features(features, self.in_features)
        check_finite(features)
        if not len(features):
            raise ValueError("initialising needs at least one row of features, got none")
        if labels is not None:
            check_labels(labels, self.out_features, len(features))
        features = features.to(self.feature_mean)
        self.network.reset_parameters(generator)
        if standardise:
            mean, scale = standardisation(features)
            self.feature_mean.copy_(mean)
            self.feature_scale.copy_(scale)
        else:
            self.feature_mean.zero_()
            self.feature_scale.fill_(1.0)
        for layer, logits in enumerate(self.network.logits):
            if spread and self.network.layout.num_leaf_sources(layer):
                nodes = torch.arange(logits.shape[0] * logits.shape[1], device=logits.device)
                edges = (nodes % self.in_features).view(logits.shape[:2]).unsqueeze(-1)
                logits.scatter_add_(-1, edges, torch.full_like(logits[..., :1], spread))
        if labels is None or prior == 0:
            return
        standardised = (features - self.feature_mean) / self.feature_scale
        contrast = class_contrast(standardised, labels.to(features.device), self.out_features)
        per_group = contrast.unflatten(0, (self.network.groups, -1)).amax(dim=1)
        for layer, logits in enumerate(self.network.logits):
            if self.network.layout.num_leaf_sources(layer):
                logits[..., : self.in_features] += prior * per_group.unsqueeze(1)

    @torch.no_grad()
    def widened(self, in_features: int, columns: Sequence[int]) -> OccamHead:
        """The same head over more features, of which it can choose these columns only.

        Args:
            in_features: Number of features of the new head.
            columns: For each feature of this head, the feature of the new one.
        """
        head = type(self)(**{**self.config(), "in_features": in_features})
        index = torch.as_tensor(columns, device=self.feature_mean.device)
        head.to(self.feature_mean)
        for layer, (old, new) in enumerate(
            zip(self.network.logits, head.network.logits, strict=True)
        ):
            if self.network.layout.num_leaf_sources(layer):
                new[..., :in_features] = BARRED
                new[..., index] = old[..., : self.in_features]
                new[..., in_features:] = old[..., self.in_features :]
            else:
                new.copy_(old)
        for old, new in zip(self.network.free_constants, head.network.free_constants, strict=True):
            new.copy_(old)
        head.network.temperatures.copy_(self.network.temperatures)
        head.feature_mean[index] = self.feature_mean
        head.feature_scale[index] = self.feature_scale
        return head.train(self.training)

    # --- storage ---------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values."""
        network = self.network
        return {
            "in_features": network.in_features,
            "out_features": network.out_features,
            "bases": [[basis.name for basis in bases] for bases in network.layout.layers],
            "per_class": network.groups == network.out_features,
            "skip": network.layout.skip,
            "constants": network.leaf_constants.tolist(),
            "temperature": float(network.start_temperatures[0]),
            "last_temperature": float(network.start_temperatures[-1]),
            "equalisation": network.equalisation,
            "noise": network.noise,
            "digits": self.digits,
        }

    def save(self, path: str | Path) -> None:
        """Save configuration and weights; :meth:`load` needs nothing else."""
        torch.save(
            {
                "format": FORMAT,
                "version": VERSION,
                "config": self.config(),
                "state_dict": self.state_dict(),
                "formula": self.formula().text(),
            },
            path,
        )

    @classmethod
    def load(cls, path: str | Path) -> OccamHead:
        """Load a head that :meth:`save` wrote; no code is run from the file.

        Raises:
            ValueError: If the file is not a head, or of an unknown version.
        """
        try:
            data = torch.load(path, weights_only=True, map_location="cpu")
        except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
            raise ValueError(f"{path} is not a saved OccamHead: {error}") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"{path} is not a saved OccamHead")
        if data.get("version") != VERSION:
            raise ValueError(f"{path} has format version {data.get('version')}; known: {VERSION}")
        if missing := {"config", "state_dict"} - set(data):
            raise ValueError(f"{path} is damaged: it lacks {', '.join(sorted(missing))}")
        head = cls(**data["config"])
        head.load_state_dict(data["state_dict"])
        return head.eval()

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        mine = {f"{prefix}{name}": value for name, value in self.state_dict().items()}
        for name, value in mine.items():
            found = state_dict.get(name)
            if found is not None and found.shape != value.shape:
                raise ValueError(
                    f"the checkpoint is of another architecture: {name} has shape"
                    f" {tuple(found.shape)}, this head {tuple(value.shape)}; build the head with"
                    " the checkpoint's in_features, out_features, bases and depth"
                )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"


def class_contrast(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """How far each class's mean of each feature is from the mean of the other rows.

    Args:
        features: Standardised features, [rows, features].
        labels: Class of each row.

    Returns:
        Absolute differences in standard deviations, [num_classes, features].
    """
    members = nn.functional.one_hot(labels, num_classes).to(features)
    counts = members.sum(dim=0).unsqueeze(-1)
    sums = members.T @ features
    others = (features.sum(dim=0) - sums) / (len(features) - counts).clamp_min(1.0)
    return (sums / counts.clamp_min(1.0) - others).abs()


def check_finite(features: Tensor) -> None:
    """Raise ValueError if a feature is NaN or infinite, naming the first."""
    if not features.isfinite().all():
        row, column = (~features.isfinite()).nonzero()[0].tolist()
        raise ValueError(
            f"feature {column} of row {row} is {features[row, column].item()}; features must be"
            " finite: drop the row or impute the value"
        )


def check_labels(labels: Tensor, num_classes: int, rows: int) -> None:
    """Raise ValueError unless there is one class index per row, each in range."""
    if labels.shape != (rows,):
        raise ValueError(f"expected one label per row, shape ({rows},), got {tuple(labels.shape)}")
    if labels.is_floating_point():
        raise ValueError(f"labels must be whole class indices, got dtype {labels.dtype}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        bad = int(labels.min()) if int(labels.min()) < 0 else int(labels.max())
        raise ValueError(f"label {bad} is out of range for {num_classes} classes")
