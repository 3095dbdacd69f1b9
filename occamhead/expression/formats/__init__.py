"""How a formula is written and read: text, LaTeX, sympy, Python, C, SQL, JSON, pictures."""
