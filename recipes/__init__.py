"""Experiments, one of the paper or of ours each: ``python -m recipes.NAME`` from a clone.

A module here is an experiment and nothing else, in at most 80 lines: which tasks, by which methods,
what is printed and what is written. What an experiment is made of lies one folder deeper:

- ``shared/``: what most recipes need besides ``occamhead.commands``, such as means and a bar;
- ``others/``: other people's methods, and ours called as they are;
- a folder by subject: ``automata/``, ``lists/``, ``lines/``, ``satisfiability/``, ``features/``,
  ``laws_of_nature/``, ``nec_tasks/``, ``real_tables/``, ``recovery_tasks/``,
  ``table1_lines/``: data, methods and printed tables.
"""

from pathlib import Path

CONFIGS = Path(__file__).parents[1] / "configs"
"""The folder of the YAML files, wherever a recipe is run from."""
