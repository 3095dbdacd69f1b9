"""The paper's sets of bases, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BasisSet:
    """A set of bases with the constants that the paper appends to the inputs beside it."""

    bases: tuple[str, ...]
    constants: tuple[float, ...] = ()
    source: str = ""


_PI = 3.141592653589793
_IMPLICIT = "add sub mul div sin cos"
_IMAGE_CONSTANTS = (-1, -1, 0, 0, 1, 1, 1)
_PHI_A = "sigmoid10 sigmoid10 tanh10 tanh10 add4 add4 add9 add9 add add min min max max"
_PHI_B = (
    "identity identity identity identity add add add add4 add4 add9 add9 add9"
    " tanh tanh sigmoid sigmoid"
)

# Names: the lines of the paper's Table 1, with the bases of Tables 3 and 4 (supplement G).
BASIS_SETS: dict[str, BasisSet] = {
    name: BasisSet(tuple(bases.split()), tuple(float(c) for c in constants), source)
    for name, bases, constants, source in [
        ("phi_a", _PHI_A, _IMAGE_CONSTANTS, "supplement G"),
        ("phi_b", _PHI_B, _IMAGE_CONSTANTS, "supplement G"),
        ("pmlb", "add sub mul div sin cos exp log_abs", (), "supplement H"),
        ("table1/1", "mul mul add add", (), "Table 3: 2x^2 + 3x"),
        ("table1/2", "mul sin sin add add", (1, 2), "Table 3: sin(3x + 2)"),
        ("table1/3", "sin sin add add add", (1, 2), "Table 3: sum of sin(nx), n = 1 to 3"),
        ("table1/4", "mul mul add add div div", (1,), "Table 3: (x^2 + x)/(x + 2)"),
        ("table1/5", "mul mul add add div div", (1,), "Table 3: x0^2 (x0 + 1)/x1^5"),
        ("table1/6", "mul mul add add div", (1, 2), "Table 3: x0^2/2 + (x1 + 1)^2/2"),
        ("table1/7", f"{_IMPLICIT} add_constant mul_constant pow_constant", (),
         "Table 4: 10.5 x^3.1"),
        ("table1/8", "add div sin", (2, _PI), "Table 4: cos(x)"),
        ("taylor", "add mul_constant pow_constant", (10,), "Table 4: e^x"),
        ("table1/9", _IMPLICIT, (), "Table 4: x0 x1 = 1"),
        ("table1/10", _IMPLICIT, (), "Table 4: x0^2 + x1^2 = 1"),
        ("table1/11", _IMPLICIT, (), "Table 4: x0/cos(x1) = 1"),
        ("table1/12", _IMPLICIT, (), "Table 4: x1/x0 = 1"),
        ("table1/13", _IMPLICIT, (), "Table 4: m1 v1 - m2 v2 = 0"),
        ("table1/14", "if_le if_le mul add add div", (1,), "Table 3: 3x if x > 0, else x"),
        ("table1/15", "if_le if_le neg add add sub mul", (1,), "Table 3: x^2 if x > 0, else -x"),
        ("table1/16", "if_le if_le add add sin sin", (1,), "Table 3: x if x > 0, else sin(x)"),
        ("table1/17", "if_le add min max max div mul sub", (1, 2), "Table 3: SORT(x0, x1, x2)"),
        ("table1/18", "add add xor xor", (), "Table 3: 4LFSR(x0, x1, x2, x3)"),
        ("table1/19", "if_le if_le neg mul", (1, 2), "Table 3: two outputs, two branches"),
        ("table1/20", "if_le if_le add mul mul div div", (1, 2), "Table 3: g^4"),
        ("table1/21", "if_le if_le add add add sub sub", (1, 2), "Table 3: g^2"),
        ("table1/22", _PHI_A, _IMAGE_CONSTANTS, "Table 3: MNIST Binary"),
        ("table1/23", _PHI_A, _IMAGE_CONSTANTS, "Table 3: MNIST Trinary"),
        ("table1/24", _PHI_A, _IMAGE_CONSTANTS, "Table 3: ImageNet Binary"),
        ("table1/25", _PHI_B, _IMAGE_CONSTANTS, "Table 3: Backprop OccamNet"),
        ("table1/26", _PHI_B, _IMAGE_CONSTANTS, "Table 3: Finetune ResNet"),
    ]
}  # fmt: skip
