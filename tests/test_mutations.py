"""The table of mutations (mutations.yaml) fits the code; `mutations.py` tries them."""

import ast
from pathlib import Path

import pytest
from mutations import table

TESTS = Path(__file__).parent
SRC = TESTS.parent / "src" / "chain_of_steps"


@pytest.mark.parametrize("mutation", table(), ids=lambda mutation: mutation.name)
def test_a_mutation_changes_one_place_and_names_a_test(mutation):
    code = (SRC / mutation.file).read_text(encoding="utf-8")
    assert code.count(mutation.original) == 1
    mutated = code.replace(mutation.original, mutation.mutated)
    assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(code))
    file, _, test = mutation.test.partition("::")
    tests = ast.parse((TESTS / file).read_text(encoding="utf-8")).body
    assert test.partition("[")[0] in {
        node.name for node in tests if isinstance(node, ast.FunctionDef)
    }
