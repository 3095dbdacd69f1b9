"""EssenceHead: a classifier head that is fitted without gradients and is a circuit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, fx

from occamhead.checks import check_features, check_width
from occamhead.essence.circuit import Circuit, EssenceNetwork
from occamhead.essence.fitting import fit_circuit
from occamhead.essence.formula import class_scores
from occamhead.essence.real import fit_real_circuit
from occamhead.essence.searched import fit_occam_circuit
from occamhead.essence.terms import quadratic_terms
from occamhead.expression import Expression, FormulaModule
from occamhead.expression.contrast import difference
from occamhead.heads.base import SymbolicHead
from occamhead.heads.calibration import share_out
from occamhead.heads.naming import FeatureNames, said
from occamhead.rows.intake import as_labels, as_numbers, as_targets, feature_names
from occamhead.rows.objective import Rows

if TYPE_CHECKING:
    from occamhead.distill import Certificate, FeatureSpec

Inputs: TypeAlias = Literal["whole", "real"]
Differentiae: TypeAlias = Literal["linear", "quadratic", "occam"]

_FITS: dict[str, Callable[..., Circuit]] = {"whole": fit_circuit, "real": fit_real_circuit}
_DIFFERENTIAE = ("linear", "quadratic", "occam")


class EssenceHead(SymbolicHead):
    """A head whose classes are made of half-spaces of the features, and of the logic between them.

    It is fitted in closed form by :meth:`fit`. In ``eval()`` mode it is the circuit, which
    :meth:`formula` prints; in ``train()`` mode the steps are sigmoids, so that a backbone can be
    trained through it.

    Args:
        in_features: Number of features.
        out_features: Number of classes.
        inputs: What the features are: "whole" numbers, of which a circuit is learned that is
            right on all patterns (:func:`occamhead.essence.fit_circuit`), or "real" ones
            (:func:`occamhead.essence.fit_real_circuit`).
        differentiae: "linear": half-spaces of the features; "quadratic": of these and of their
            products, which are quadrics; "occam": of formulas that an OccamNet finds
            (:func:`occamhead.essence.fit_occam_circuit`), for real inputs.
        slope: Slope of the sigmoids in ``train()`` mode.
        classes: A name per class.
        names: A name per feature, or for some by number: ``{2: "has feathers"}``; None takes the
            columns of a frame that :meth:`fit` is given.
        **options: Further arguments of the function that fits the circuit.

    Shape:
        Input [..., in_features]; output [..., out_features].

    Raises:
        ValueError: If an argument is out of range or the fit takes no such option.

    Example:
        >>> import torch
        >>> from occamhead import EssenceHead
        >>> rows = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> head = EssenceHead(2, 2).fit(rows, torch.tensor([0, 1, 1, 0])).eval()
        >>> head.predict(rows).tolist()
        [0, 1, 1, 0]
    """

    kind = "essence"

    network: EssenceNetwork | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        inputs: Inputs = "whole",
        differentiae: Differentiae = "linear",
        slope: float = 8.0,
        classes: Sequence[str] | None = None,
        names: FeatureNames = None,
        **options: Any,
    ) -> None:
        super().__init__(out_features, classes=classes)
        if in_features < 1 or out_features < 1:
            raise ValueError(
                "in_features and out_features must be at least 1, got"
                f" {in_features} and {out_features}"
            )
        if inputs not in _FITS:
            raise ValueError(f"inputs must be one of {', '.join(_FITS)}, got {inputs!r}")
        if differentiae not in _DIFFERENTIAE:
            raise ValueError(
                f"differentiae must be one of {', '.join(_DIFFERENTIAE)}, got {differentiae!r}"
            )
        if (inputs, differentiae) == ("whole", "occam"):
            raise ValueError(
                "differentiae that an OccamNet finds leave errors, which a circuit of whole numbers"
                " does not; give inputs='real'"
            )
        known = set(inspect.signature(self._fit_of(inputs, differentiae)).parameters)
        known -= {"x", "y", "classes"}
        if unknown := sorted(set(options) - known):
            raise ValueError(
                f"a circuit of {inputs} inputs with {differentiae} differentiae takes no option"
                f" {unknown[0]!r}; its options: {', '.join(sorted(known))}"
            )
        if not slope > 0:
            raise ValueError(f"slope must be positive, got {slope}")
        self._sizes = in_features, out_features
        self.inputs, self.differentiae = inputs, differentiae
        self.slope, self.options = slope, options
        self.circuit: Circuit | None = None
        self.network = None
        # What the circuit's inputs are, where they are not the features themselves.
        self.terms: Expression | None = None
        self._term_values: FormulaModule | None = None
        if differentiae == "quadratic":
            self._see(quadratic_terms(in_features))
        self.names = names

    @property
    def in_features(self) -> int:
        return self._sizes[0]

    @property
    def out_features(self) -> int:
        return self._sizes[1]

    def fit(
        self, x: Any, y: Any, *, validation: tuple[Any, Any] | float | None = None
    ) -> EssenceHead:
        """Learn the circuit of these rows, and how sure it may be; the head moves to their device.

        Args:
            x: Features, [rows, in_features]: a tensor, an array, a frame or lists of numbers.
            y: Class of each row, [rows]: whole numbers, or names of the head's `classes`.
            validation: Further rows and their classes, to fit the temperature of the probabilities
                to. Or a share of the rows, at most 1/2, that is held out in turn of circuits that
                are learned for this alone; 0 leaves the temperature at 1. By default a fifth of
                real rows (five more circuits are then learned), and 0 of whole ones, of which the
                circuit is right on all.

        Raises:
            ValueError: On a wrong shape, or as the function that fits the circuit does.
        """
        if self.names is None:
            self.names = feature_names(x)
        x, y = self._rows("", x, y)
        if validation is None:
            validation = 0.2 if self.inputs == "real" else 0.0
        if not isinstance(validation, tuple) and not 0 <= validation <= 0.5:
            raise ValueError(
                "validation must be rows and their classes, or a share of at most 0.5, got"
                f" {validation}"
            )
        self.calibration.zero_()
        if isinstance(validation, tuple):
            self._learn(x, y)
            held, labels = self._rows("validation ", *validation)
            self.calibrate(self._scores_of(held), labels.long())
            return self
        if validation:
            self._calibrate_by_folds(x, y, round(1 / validation))
        return self._learn(x, y)

    def _rows(self, which: str, x: Any, y: Any) -> Rows:
        """Features and numbers of classes as tensors, of whole numbers as exact as they were."""
        names = self.classes or tuple(map(str, range(self.out_features)))
        if not isinstance(x, Tensor):
            # Copied where it may not be written to, as the array in a frame.
            x = torch.as_tensor(np.require(as_numbers(f"{which}x", x), requirements="W"))
        if not isinstance(y, Tensor):
            (y,), _ = as_labels([(f"{which}y", as_targets(f"{which}y", y))], names)
        check_features(x, self.in_features)
        return x, torch.as_tensor(y)

    def _calibrate_by_folds(self, x: Tensor, y: Tensor, folds: int) -> None:
        """Fit the temperature to rows that were held out in turn."""
        if y.unique(return_counts=True)[1].min() < 2:
            return  # a circuit learned without such a class would never name it
        fold = share_out(y.cpu(), folds).to(y.device)
        scores = x.new_empty(len(x), self.out_features, dtype=self.dtype)
        for out in fold.unique():
            held = fold == out
            scores[held] = self._learn(x[~held], y[~held])._scores_of(x[held])
        self.calibrate(scores, y)

    def _scores_of(self, x: Tensor) -> Tensor:
        """What the circuit says, whatever the mode."""
        scores = self._network(x).exact(self._seen(x))
        # Whole numbers: what is left is exact.
        return scores - scores[..., :1] if self.out_features == 2 else scores

    def _learn(self, x: Tensor, y: Tensor) -> EssenceHead:
        rows, labels = x.detach().cpu().numpy(), y.detach().cpu().numpy()
        fit = self._fit_of(self.inputs, self.differentiae)
        if self.differentiae == "occam":
            terms, circuit = fit(rows, labels, classes=self.out_features, **self.options)
            self._see(terms)
        else:
            seen = rows if self.terms is None else self.terms(rows)
            circuit = fit(seen, labels, classes=self.out_features, **self.options)
        self._take(circuit)
        return self.to(x.device)

    @staticmethod
    def _fit_of(inputs: str, differentiae: str) -> Callable[..., Any]:
        """The function that learns such a circuit."""
        return fit_occam_circuit if differentiae == "occam" else _FITS[inputs]

    # --- the two forms of the head ---------------------------------------------------------------

    def forward(self, x: Tensor) -> Tensor:
        """Scores, [..., out_features]; those of ``eval()`` mode are whole numbers."""
        if isinstance(x, fx.Proxy):
            return self._as_leaf(x)
        return self.soft(x) if self.training or self.soft_eval else self._scores_of(x)

    def soft(self, x: Tensor) -> Tensor:
        return self._network(x).soft(self._seen(x))

    def read(self) -> None:
        place = self.dtype, self.calibration.device
        for part in (self.network, self._term_values):
            if part is not None:
                part.placed(*place)

    def _network(self, x: Tensor) -> EssenceNetwork:
        check_width(x, self.in_features)
        self._learned()
        assert self.network is not None
        return self.network

    def _learned(self) -> Circuit:
        """The circuit; ValueError if there is none yet."""
        if self.circuit is None:
            raise ValueError("this head has no circuit yet; call fit(x, y) first")
        return self.circuit

    def _seen(self, x: Tensor) -> Tensor:
        values = self._term_values
        return x if values is None else values(x.to(self.dtype))

    def formula(self, names: FeatureNames = None) -> Expression:
        """The score of each class over the features; see :func:`occamhead.essence.class_scores`.

        Of two classes the scores are 0 and what the second one's is above the first one's.
        """
        scores = class_scores(self._learned())
        if self.out_features == 2:
            scores = difference(scores)
        if self.terms is not None:
            scores = scores.compose(self.terms)
        return scores.renamed(self.names_or(names))

    def program(self, spec: FeatureSpec) -> tuple[Expression, Certificate]:
        """The shortest program, with its certificate; see :func:`occamhead.distill.distill`.

        Raises:
            ValueError: If the inputs are real, which no certificate covers.
        """
        from occamhead.distill import distill

        terms, circuit = self.terms, self._learned()
        if terms is None or circuit.default is None:
            return distill(circuit, spec)
        return distill(lambda rows: circuit.predict(terms(rows)), spec)

    # --- storage ---------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "inputs": self.inputs,
            "differentiae": self.differentiae,
            "slope": self.slope,
            "classes": None if self.classes is None else list(self.classes),
            "names": said(self.names),
            **self.options,
        }

    def get_extra_state(self) -> dict[str, Any] | None:
        """The circuit in plain numbers, so that a state_dict holds it."""
        circuit = self.circuit
        if circuit is None:
            return None
        arrays = {"weights": circuit.weights.tolist(), "bias": circuit.bias.tolist()}
        terms = self.terms.to_json() if self.differentiae == "occam" and self.terms else None
        return {**vars(circuit), **arrays, "terms": terms}

    def set_extra_state(self, state: dict[str, Any] | None) -> None:
        if state is None:
            self.circuit = self.network = None
            return
        state = dict(state)
        if (terms := state.pop("terms", None)) is not None:
            self._see(Expression.from_json(terms))
        width = self.in_features if self.terms is None else len(self.terms)
        dtype = np.float64 if state["default"] is None else np.int64
        rows = state["weights"]
        if state["classes"] != self.out_features or any(len(row) != width for row in rows):
            raise ValueError(
                f"the checkpoint is of another architecture: its circuit has {state['classes']}"
                f" classes and {len(rows[0]) if rows else 0} weights per differentia, this head"
                f" {self.out_features} and {width}; build the head with the checkpoint's arguments"
            )
        weights = np.array(rows, dtype=dtype).reshape(-1, width)
        bias = np.array(state["bias"], dtype=np.float64)
        # Out of JSON they come as lists.
        literals = tuple(tuple((int(d), bool(b)) for d, b in pairs) for pairs in state["literals"])
        concepts = tuple(state["concepts"])
        own = {"weights": weights, "bias": bias, "literals": literals, "concepts": concepts}
        self._take(Circuit(**{**state, **own}))

    def _see(self, terms: Expression) -> None:
        """Take formulas of the features for the circuit's inputs."""
        self.terms = terms
        self._term_values = FormulaModule(terms, self.dtype, self.calibration.device)

    def _take(self, circuit: Circuit) -> None:
        self.circuit = circuit
        network = EssenceNetwork(circuit, self.slope, self.dtype, self.calibration.device)
        self.network = network.train(self.training)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # Older files hold the circuit a second time, as the weights of its network.
        for name in [name for name in state_dict if name.startswith(f"{prefix}network.")]:
            del state_dict[name]
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
