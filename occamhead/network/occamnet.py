"""OccamNet: T-softmax layers over basis functions, a probability distribution over formulas."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from occamhead.checks import check_counts, check_features, check_temperature
from occamhead.expression import Expression
from occamhead.network import routes as _routes
from occamhead.network.bases import Basis, get_bases
from occamhead.network.candidates import Candidates
from occamhead.network.initialisation import equalised_logits
from occamhead.network.layout import Layout, Run
from occamhead.network.routes import Routes

# Below this an edge is left out of the soft means: it is lost in their rounding, and denormal
# numbers, of which a cold softmax is full, make products many times slower on a CPU.
NO_PROBABILITY = 1e-12
# Numbers of noise that are drawn at once.
NOISE_PART = 1 << 20


def layer_bases(
    bases: str | Iterable[str | Basis | Sequence[str | Basis]], depth: int | None
) -> tuple[tuple[Basis, ...], ...]:
    """The bases of each layer: one set for all `depth` layers, or one sequence per layer.

    Raises:
        ValueError: If a name is unknown, or `depth` is missing, below 1 or contradicted.
    """
    if not isinstance(bases, str):
        bases = list(bases)
        if bases and all(isinstance(b, Sequence) and not isinstance(b, str) for b in bases):
            if depth not in (None, len(bases)):
                raise ValueError(f"depth is {depth}, but bases are given for {len(bases)} layers")
            return tuple(get_bases(layer) for layer in bases)  # type: ignore[arg-type]
    depth = 1 if depth is None else depth
    check_counts(depth=depth)
    return (get_bases(bases),) * depth  # type: ignore[arg-type]


class OccamNet(nn.Module):
    """A network of T-softmax layers; each of its routes spells a formula per output.

    ``forward`` is the soft network: every P-node takes the mean of its sources under its softmax.
    As the temperature falls the soft network becomes its own most probable formula.

    Args:
        in_features: Number of inputs u.
        out_features: Number of outputs v.
        bases: Bases of every layer (names, a set's name), or one sequence of them per layer.
        depth: Number of images sublayers L, where one set of bases serves all.
        constants: Constants C appended to the inputs.
        skip: Skip connections from inputs and earlier images to every later softmax.
        groups: Number of blocks that share the inputs and nothing else; each computes an equal
            share of the outputs. ``groups=out_features`` gives every output nodes of its own.
        candidates: The features that each group sees, [groups, s] indices of distinct features;
            None shows them all. Its edges, and so its routes, count these in their order.
        temperature: T of every softmax but the last.
        last_temperature: T of the output's softmax; None takes `temperature`.
        equalisation: E of supplement B: 0 starts all logits at 1; E > 0 starts at the equalised
            logits divided by E.
        noise: Standard deviation of normal noise added to the logits. Without it, equal bases
            get equal gradients for ever.

    Shape:
        Input [batch, in_features]; output [batch, out_features].

    Raises:
        ValueError: On sizes, temperatures, bases or groups that make no network.

    Source: Costa et al. 2021 (arXiv 2007.10784v2), section 2 and supplement A. `depth` counts
    images sublayers, as the paper's code for implicit laws does; its code for Table 3 builds one
    more than the L it states.
    """

    temperatures: Tensor
    start_temperatures: Tensor
    leaf_constants: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bases: str | Iterable[str | Basis | Sequence[str | Basis]],
        depth: int | None = None,
        *,
        constants: Sequence[float] = (),
        skip: bool = True,
        groups: int = 1,
        candidates: Tensor | Sequence[Sequence[int]] | None = None,
        temperature: float = 1.0,
        last_temperature: float | None = None,
        equalisation: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        super().__init__()
        last = temperature if last_temperature is None else last_temperature
        check_temperature(temperature=temperature, last_temperature=last)
        check_counts(in_features=in_features, out_features=out_features)
        if groups < 1 or out_features % groups:
            raise ValueError(f"groups must divide out_features = {out_features}, got {groups}")
        for name, value in (("equalisation", equalisation), ("noise", noise)):
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} must be finite and not negative, got {value}")
        if not all(map(math.isfinite, constants)):
            raise ValueError(f"constants must be finite, got {tuple(constants)}")
        self.in_features, self.out_features = in_features, out_features
        self.groups, self.equalisation, self.noise = groups, equalisation, noise
        self.candidates: Candidates | None = None
        if candidates is not None:
            self.candidates = Candidates(candidates, in_features, groups)
        self.layout = Layout(
            num_inputs=in_features if self.candidates is None else len(self.candidates),
            num_constants=len(constants),
            layers=layer_bases(bases, depth),
            num_outputs=out_features // groups,
            skip=skip,
        )
        softmaxes = range(self.layout.depth + 1)
        self.logits = nn.ParameterList(
            torch.empty(groups, self.layout.num_arguments(i), self.layout.num_sources(i))
            for i in softmaxes
        )
        self.free_constants = nn.ParameterList(
            torch.empty(groups, self.layout.num_free_constants(i)) for i in range(self.layout.depth)
        )
        start = torch.tensor([temperature] * self.layout.depth + [last])
        self.register_buffer("start_temperatures", start)
        self.register_buffer("temperatures", start.clone())
        self.register_buffer("leaf_constants", torch.tensor([float(c) for c in constants]))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw fresh initial weights: logits by `equalisation` and `noise`, constants as declared.

        Free constants get a tenth of the noise, for the same reason as the logits.
        """
        first, last = float(self.start_temperatures[0]), float(self.start_temperatures[-1])
        equalised = equalised_logits(self.layout, first, last) if self.equalisation else None
        for position, logits in enumerate(self.logits):
            if equalised is None:
                logits.fill_(1.0)
            else:
                # All rows are the same.
                logits.copy_(equalised[position][:1] / self.equalisation)
            _add_noise(logits, self.noise, generator)
        for bases, constants in zip(self.layout.layers, self.free_constants, strict=True):
            constants.copy_(torch.tensor([c for basis in bases for c in basis.start]))
            _add_noise(constants, 0.1 * self.noise, generator)
        self.temperatures.copy_(self.start_temperatures)

    # --- temperature -----------------------------------------------------------------------------

    def set_temperature(self, temperature: float, last_temperature: float | None = None) -> None:
        """Set T of every softmax, and T_last of the output's (None: the same)."""
        last = temperature if last_temperature is None else last_temperature
        check_temperature(temperature=temperature, last_temperature=last)
        self.temperatures.fill_(temperature)
        self.temperatures[-1] = last

    def anneal(self, progress: float, end: float) -> None:
        """Lower every temperature geometrically from its start to `end`; progress from 0 to 1."""
        check_temperature(end=end)
        progress = min(max(progress, 0.0), 1.0)
        self.temperatures.copy_(
            self.start_temperatures * (end / self.start_temperatures) ** progress
        )

    def log_probs(self) -> list[Tensor]:
        """Log-probabilities of the edges of each softmax, [groups, P-nodes, sources]."""
        return [
            torch.log_softmax(logits / self.temperatures[i], dim=-1)
            for i, logits in enumerate(self.logits)
        ]

    # --- soft network ----------------------------------------------------------------------------

    def forward(self, x: Tensor) -> Tensor:
        check_features(x, self.in_features)
        weights = [
            nn.functional.threshold(
                torch.softmax(logits / self.temperatures[i], dim=-1), NO_PROBABILITY, 0.0
            )
            for i, logits in enumerate(self.logits)
        ]
        leaves = self._with_constants(x if self.candidates is None else self.candidates.gather(x))
        images: list[Tensor] = []
        for layer in range(self.layout.depth):
            rows = self._rows(layer, weights[layer])
            images.append(self._soft_images(layer, self._mix(layer, rows, leaves, images)))
        return self._mix(self.layout.depth, weights[-1], leaves, images).flatten(1)

    def _rows(self, layer: int, weights: Tensor) -> Tensor:
        """What each basis needs of the sources, [groups, rows, sources].

        The arguments of a basis that is a function of their sum need not be known one by one: one
        row, the sum of the P-nodes' weights, each times its constant, gives the sum at once.
        """
        rows = []
        for run in self.layout.runs[layer]:
            own = weights[:, run.arguments]
            if run.basis.of_sum is not None:
                own = own.unflatten(1, (run.count, run.basis.arity))
                if run.basis.num_constants:
                    factors = self._constants_of(layer, run)[..., 1:].to(own.dtype)
                    own = (factors.unsqueeze(-2) @ own).squeeze(-2)
                else:
                    own = own.sum(dim=2)
            rows.append(own)
        return torch.cat(rows, dim=1) if len(rows) > 1 else rows[0]

    def _soft_images(self, layer: int, values: Tensor) -> Tensor:
        """Apply a layer's bases to what :meth:`_rows` asked for, [batch, groups, rows]."""
        images, start = [], 0
        for run in self.layout.runs[layer]:
            constants = self._constants_of(layer, run).to(values.dtype)
            width = 1 if run.basis.of_sum is not None else run.basis.arity
            own = values[..., start : start + run.count * width]
            start += run.count * width
            if run.basis.of_sum is not None:
                images.append(run.basis.of_sum(own + constants[..., 0] if run.basis.start else own))
            else:
                args = own.unflatten(-1, (run.count, width))
                images.append(run.basis(args, constants, soft=True))
        return torch.cat(images, dim=-1) if len(images) > 1 else images[0]

    def _constants_of(self, layer: int, run: Run) -> Tensor:
        """The free constants of a run's bases, [groups, count, constants of one]."""
        constants = self.free_constants[layer][:, run.constants]
        return constants.unflatten(-1, (run.count, run.basis.num_constants))

    def _with_constants(self, x: Tensor) -> Tensor:
        if not self.layout.num_constants:
            return x
        return torch.cat([x, self.leaf_constants.to(x).expand(len(x), -1)], dim=-1)

    def _mix(self, layer: int, weights: Tensor, leaves: Tensor, images: list[Tensor]) -> Tensor:
        """The sources of a softmax in some mixtures: [batch, groups, rows] by the weights.

        Args:
            layer: Which softmax.
            weights: Weight of each source, [groups, rows, sources].
            leaves: Inputs that any group sees, and constants.
            images: Images of each earlier layer, [batch, groups, images].
        """
        split = self.layout.num_leaf_sources(layer)
        result: Tensor | None = None
        if split:
            of_leaves = weights[..., :split]
            if self.candidates is not None:
                inputs = self.layout.num_inputs
                of_inputs = self.candidates.lay_out(of_leaves[..., :inputs])
                of_leaves = torch.cat([of_inputs, of_leaves[..., inputs:]], dim=-1)
            # All groups read the same leaves: one product for all their sums.
            flat = of_leaves.flatten(0, 1)
            result = nn.functional.linear(leaves, flat).unflatten(-1, weights.shape[:2])
        if sources := [images[earlier] for earlier in self.layout.image_sources(layer)]:
            means = torch.einsum("bgs,gms->bgm", torch.cat(sources, dim=-1), weights[..., split:])
            result = means if result is None else result + means
        assert result is not None
        return result

    # --- formulas --------------------------------------------------------------------------------

    def sample(self, count: int, generator: torch.Generator | None = None) -> Routes:
        """Draw `count` routes from the network's distribution."""
        return _routes.sample(self.log_probs(), count, generator)

    def most_probable(self) -> tuple[Routes, Tensor]:
        """The most probable route and its log-probability per output (supplement C)."""
        return _routes.most_probable(self.layout, self.log_probs())

    def log_prob(self, routes: Routes, per_use: bool = False) -> Tensor:
        """log q of each output's function, [R, out_features]; see :func:`routes.log_prob`."""
        return _routes.log_prob(self.layout, self.log_probs(), routes, per_use)

    def evaluate(self, routes: Routes, x: Tensor) -> Tensor:
        """The hard forward pass: what the routes compute.

        Args:
            routes: R routes.
            x: Inputs, [batch, in_features].

        Returns:
            Shape [R, batch, out_features]; differentiable in `x` and the free constants.
        """
        check_features(x, self.in_features)
        leaves = self._with_constants(x)
        batch = len(x)
        images: list[Tensor] = []
        for layer, edges in enumerate(routes.edges):
            split = self.layout.num_leaf_sources(layer)
            sources = [images[earlier] for earlier in self.layout.image_sources(layer)]
            if split:
                named = edges if self.candidates is None else self.candidates.name(edges)
                flat = named.clamp_max(leaves.shape[1] - 1).flatten()
                chosen = leaves.index_select(1, flat).unflatten(1, edges.shape).movedim(0, 1)
            if sources:
                index = (edges - split).clamp_min(0).unsqueeze(1).expand(-1, batch, -1, -1)
                from_images = torch.cat(sources, dim=-1).gather(-1, index)
                is_image = (edges >= split).unsqueeze(1)
                chosen = torch.where(is_image, from_images, chosen) if split else from_images
            if layer == self.layout.depth:
                return chosen.flatten(2)
            images.append(self._images(layer, chosen))
        raise AssertionError("unreachable")

    def _images(self, layer: int, arguments: Tensor) -> Tensor:
        """Apply a layer's bases: [..., groups, P-nodes] to [..., groups, images]."""
        images = []
        for run in self.layout.runs[layer]:
            args = arguments[..., run.arguments].unflatten(-1, (run.count, run.basis.arity))
            images.append(run.basis(args, self._constants_of(layer, run).to(args.dtype)))
        return torch.cat(images, dim=-1)

    def expression(self, routes: Routes | None = None, index: int = 0) -> Expression:
        """The formulas of one route, by default of the most probable one."""
        if routes is None:
            routes, _ = self.most_probable()
        return _routes.to_expression(
            self.layout,
            routes,
            self.leaf_constants.tolist(),
            [constants.detach() for constants in self.free_constants],
            index,
            None if self.candidates is None else self.candidates.features.tolist(),
            self.in_features,
        )

    def extra_repr(self) -> str:
        layers = "; ".join(
            " ".join(f"{run.basis.name} x{run.count}" for run in runs) for runs in self.layout.runs
        )
        return (
            f"in_features={self.in_features}, out_features={self.out_features},"
            f" groups={self.groups}, skip={self.layout.skip}, layers=[{layers}]"
        )


def _add_noise(parameter: Tensor, scale: float, generator: torch.Generator | None) -> None:
    if not scale:
        return
    flat = parameter.view(-1)
    # Drawn on the CPU, so that a seed gives the same start on every device; and a part at a time,
    # which takes no second parameter's memory. In parts of whole sixteens torch draws the same
    # numbers as at once.
    starts = list(range(0, max(len(flat) - 16, 1), NOISE_PART))
    for start, end in zip(starts, [*starts[1:], len(flat)], strict=True):
        noise = torch.empty(end - start).normal_(generator=generator)
        flat[start:end].add_(scale * noise.to(flat))
