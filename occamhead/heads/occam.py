"""OccamHead: a classifier head that is a formula."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.compiler import is_compiling

from occamhead.checks import check_counts, check_features, check_finite, check_width
from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.contrast import contrasted
from occamhead.heads.freshness import Place, places
from occamhead.heads.naming import FeatureNames, own_names, said
from occamhead.heads.read_off import ReadHead
from occamhead.network.bases import Basis
from occamhead.network.occamnet import OccamNet
from occamhead.rows.objective import get_objective, standardisation
from occamhead.rows.screening import contrasts

# Logit of an edge that must not be chosen: its probability and its gradient are exactly zero.
BARRED = -1e4


class OccamHead(ReadHead):
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
        candidates: The features that each class's nodes see, [classes, s] indices; None shows
            them all. See :class:`OccamNet`.
        skip: Skip connections from features and earlier images to every later softmax.
        constants: Constants appended to the features.
        temperature: T at the start of training.
        last_temperature: T_last of the output's softmax; None takes `temperature`.
        equalisation: E of supplement B.
        noise: Standard deviation of the noise on the initial logits.
        digits: Significant digits of the formula's numbers. The formula is rounded before it is
            run, so what is printed is what classifies.
        loss: What the scores are trained towards: "cross_entropy" for one class per row,
            "binary_cross_entropy" for any number of labels, "squared_error" for numbers.
        classes: A name per output.
        names: A name per feature, or for some by number: ``{538: "fuzzy body"}``.

    Shape:
        Input [..., in_features]; output [..., out_features].

    Example:
        >>> import torch
        >>> from occamhead import OccamHead
        >>> head = OccamHead(in_features=8, out_features=2, bases=["affine2"])
        >>> head.eval()(torch.randn(5, 8)).shape
        torch.Size([5, 2])
        >>> len(head.formula())
        2
    """

    kind = "occam"

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
        candidates: Tensor | Sequence[Sequence[int]] | None = None,
        skip: bool = False,
        constants: Sequence[float] = (),
        temperature: float = 1.0,
        last_temperature: float | None = None,
        equalisation: float = 0.0,
        noise: float = 0.3,
        digits: int = 4,
        loss: str = "cross_entropy",
        classes: Sequence[str] | None = None,
        names: FeatureNames = None,
    ) -> None:
        super().__init__(out_features, loss, classes)
        check_counts(digits=digits)
        self.network = OccamNet(
            in_features,
            out_features,
            bases,
            depth,
            constants=constants,
            skip=skip,
            groups=out_features if per_class else 1,
            candidates=candidates,
            temperature=temperature,
            last_temperature=last_temperature,
            equalisation=equalisation,
            noise=noise,
        )
        self.digits = digits
        self.register_buffer("feature_mean", torch.zeros(in_features))
        self.register_buffer("feature_scale", torch.ones(in_features))
        self.names = names

    @property
    def in_features(self) -> int:
        return self.network.in_features

    @property
    def out_features(self) -> int:
        return self.network.out_features

    # --- the two forms of the head -----------------------------------------------------------

    def soft(self, x: Tensor) -> Tensor:
        """Scores of the soft network, whatever the mode.

        Raises:
            ValueError: If the scores are not finite; the message says whether the features or
                the weights are to blame.
        """
        if isinstance(x, fx.Proxy):
            return self._as_leaf(x)
        check_width(x, self.in_features)
        rows = x if x.dim() == 2 else x.reshape(-1, self.in_features)
        scores = self.network(self.standardised(rows))
        if not is_compiling() and not scores.isfinite().all():
            self._explain_non_finite(rows)
        if self.dtype is not self.feature_mean.dtype:
            scores = scores.to(self.dtype)
        return scores if x.dim() == 2 else scores.view(*x.shape[:-1], self.out_features)

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

    def places(self) -> list[Place]:
        logits = self.network.logits
        # Neither the logit of one edge alone says anything, nor what temperatures start from.
        single = {(id(logits._parameters), name) for name, each in logits.named_parameters()
                  if each.shape[-1] == 1}  # fmt: skip
        return [
            (self.__dict__, "digits"),
            (self._modules, "network"),
            (self._buffers, "feature_mean"),
            (self._buffers, "feature_scale"),
            *(
                (table, name)
                for table, name in places(self.network)
                if name != "start_temperatures" and (id(table), name) not in single
            ),
        ]

    # --- formula ---------------------------------------------------------------------------------

    @torch.no_grad()
    def formula(self, names: FeatureNames = None) -> Expression:
        """The most probable formula of each class over the raw features.

        The standardisation is folded into its numbers, which are rounded to `digits` digits. Of the
        scores of one class per row (the loss "cross_entropy") only the differences are kept: two
        classes have the scores 0 and a sum; see :func:`occamhead.expression.contrast.contrasted`.

        Args:
            names: Names of the features, for each or for some by number; by default the head's.
                "auto" calls those that have none by their hints.
        """
        literal = self.network.expression()
        mean, scale = self.feature_mean.tolist(), self.feature_scale.tolist()
        builder = ExpressionBuilder()
        standardised = {
            i: builder.affine(-mean[i] / scale[i], [(1 / scale[i], builder.input(i))])
            for i in literal.features
        }
        outputs = builder.copy(literal, standardised)
        scores = builder.build(outputs, self.in_features, self.names_or(names))
        one_class = self.loss == "cross_entropy"
        return (contrasted(scores) if one_class else scores.simplified()).rounded(self.digits)

    # --- its weights -------------------------------------------------------------------------

    def standardised(self, x: Tensor) -> Tensor:
        """Features as the soft network sees them, in the precision of the weights."""
        return (x.to(self.feature_mean.dtype) - self.feature_mean) / self.feature_scale

    @torch.no_grad()
    def set_standardisation(self, mean: Tensor, scale: Tensor) -> None:
        """Let the soft network see `(x - mean) / scale`, each [in_features] or one number.

        Raises:
            ValueError: If a scale is not positive and finite, or a mean not finite.
        """
        if not (mean.isfinite().all() and scale.isfinite().all() and (scale > 0).all()):
            raise ValueError("wanted finite means and positive finite scales of the features")
        self.feature_mean.copy_(mean)
        self.feature_scale.copy_(scale)

    @property
    def numbers(self) -> list[Tensor]:
        """The free constants of each layer, of which the formula's numbers are made: a copy."""
        return [constants.detach().clone() for constants in self.network.free_constants]

    @torch.no_grad()
    def set_numbers(self, numbers: Sequence[Tensor]) -> None:
        """Take other free constants, in the shape of :attr:`numbers`.

        Raises:
            ValueError: If they are of another shape.
        """
        wanted = [tuple(mine.shape) for mine in self.network.free_constants]
        if (found := [tuple(new.shape) for new in numbers]) != wanted:
            raise ValueError(f"wanted numbers of shape {wanted}, got {found}")
        for mine, new in zip(self.network.free_constants, numbers, strict=True):
            mine.copy_(new)

    @torch.no_grad()
    def choose_edges(self, edges: Sequence[Tensor], certainty: float = 6.0) -> None:
        """Make one edge of each P-node the most probable one.

        Args:
            edges: For each softmax the edges, [groups, P-nodes].
            certainty: How much likelier each is than all others of its P-node together, as a
                logit: the soft network is close to the formula, and can be trained away from it.
        """
        for logits, chosen in zip(self.network.logits, edges, strict=True):
            logits.zero_()
            logits.scatter_(-1, chosen.unsqueeze(-1), certainty + math.log(logits.shape[-1]))

    @torch.no_grad()
    def log_prob(self) -> Tensor:
        """log q of the formula of each class under the network, shape [out_features]."""
        routes, _ = self.network.most_probable()
        return self.network.log_prob(routes)[0]

    # --- training --------------------------------------------------------------------------------

    def anneal(self, progress: float, end_temperature: float) -> None:
        """Lower the temperatures; see :meth:`OccamNet.anneal`."""
        self.network.anneal(progress, end_temperature)

    def penalty(self) -> Tensor:
        """The sum of the squared free constants."""
        return torch.stack([c.square().sum() for c in self.network.free_constants]).sum()

    @torch.no_grad()
    def initialise(
        self,
        features: Tensor,
        labels: Tensor | None = None,
        *,
        prior: float = 3.0,
        spread: float = 0.0,
        standardise: bool = True,
        loss: str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        """Start afresh: draw new weights, fit the standardisation, and prefer telling features.

        Args:
            features: Training features, [rows, in_features].
            labels: Class of each row, or the targets that `loss` takes; without them no feature
                is preferred.
            prior: What is added to the logit of an edge to a feature, per standard deviation by
                which the class's mean differs from the mean of the others.
            spread: What is added to the logit of one edge of each P-node, to a feature of its
                own as far as they go round: the first P-node prefers the first feature, and so on.
            standardise: Whether the soft network sees standardised features.
            loss: What the labels are for; by default the head's own loss.
            generator: Source of the new weights; None takes torch's global one.

        Raises:
            ValueError: On a wrong feature count, non-finite features, labels out of range.
        """
        objective = self.objective if loss is None else get_objective(loss)
        check_features(features, self.in_features)
        check_finite(features)
        if not len(features):
            raise ValueError("initialising needs at least one row of features, got none")
        if labels is not None:
            objective.check(labels, self.out_features, len(features))
        features = features.to(self.feature_mean)
        self.network.reset_parameters(generator)
        self.calibration.zero_()
        if standardise:
            self.set_standardisation(*standardisation(features))
        else:
            self.set_standardisation(torch.zeros(()), torch.ones(()))
        for layer, logits in enumerate(self.network.logits):
            if spread and self.network.layout.num_leaf_sources(layer):
                nodes = torch.arange(logits.shape[:2].numel(), device=logits.device)
                if self.network.candidates is not None:
                    nodes %= logits.shape[1]  # each group has candidates of its own to start at
                edges = (nodes % self.network.layout.num_inputs).view(*logits.shape[:2], 1)
                logits.scatter_add_(-1, edges, torch.full_like(logits[..., :1], spread))
        if labels is None or prior == 0:
            return
        scaling = self.feature_mean, self.feature_scale
        rows = features, labels.to(features.device)
        contrast = contrasts(rows, self.out_features, objective, scaling)
        per_group = contrast.unflatten(0, (self.network.groups, -1)).amax(dim=1)
        if self.network.candidates is not None:
            per_group = per_group.gather(-1, self.network.candidates.features)
        for layer, logits in enumerate(self.network.logits):
            if self.network.layout.num_leaf_sources(layer):
                logits[..., : per_group.shape[-1]] += prior * per_group.unsqueeze(1)

    @torch.no_grad()
    def widened(self, in_features: int, columns: Sequence[int]) -> OccamHead:
        """The same head over more features, of which it can choose these columns only.

        Args:
            in_features: Number of features of the new head.
            columns: For each feature of this head, the feature of the new one.
        """
        index = torch.as_tensor(columns, device=self.feature_mean.device)
        config, candidates = self.config(), self.network.candidates
        if candidates is not None:
            config["candidates"] = index[candidates.features].tolist()
        config["names"] = {columns[i]: name for i, name in own_names(self.names).items()} or None
        head = type(self)(**{**config, "in_features": in_features})
        head.to(self.feature_mean)
        for layer, (old, new) in enumerate(
            zip(self.network.logits, head.network.logits, strict=True)
        ):
            if candidates is None and self.network.layout.num_leaf_sources(layer):
                new[..., :in_features] = BARRED
                new[..., index] = old[..., : self.in_features]
                new[..., in_features:] = old[..., self.in_features :]
            else:
                new.copy_(old)
        head.set_numbers(self.numbers)
        head.network.temperatures.copy_(self.network.temperatures)
        head.feature_mean[index] = self.feature_mean
        head.feature_scale[index] = self.feature_scale
        head.calibration.copy_(self.calibration)
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
            "candidates": network.candidates.features.tolist() if network.candidates else None,
            "skip": network.layout.skip,
            "constants": network.leaf_constants.tolist(),
            "temperature": float(network.start_temperatures[0]),
            "last_temperature": float(network.start_temperatures[-1]),
            "equalisation": network.equalisation,
            "noise": network.noise,
            "digits": self.digits,
            "loss": self.loss,
            "classes": None if self.classes is None else list(self.classes),
            "names": said(self.names),
        }

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
