"""Read the sentence under each field, so that descriptions cost nothing at run time."""

import ast
import inspect
import textwrap

from pydantic import BaseModel


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """Each field's docstring, as one line, by the name that flows use; parents' fields included."""
    docs: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if owner is not BaseModel and issubclass(owner, BaseModel):
            docs |= _own_docs(owner)
    return {field.alias or name: docs[name] for name, field in model.model_fields.items() if name in docs}


def _own_docs(model: type[BaseModel]) -> dict[str, str]:
    """The docstrings under the fields that this very class declares, by attribute."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    if not isinstance(tree, ast.ClassDef):
        raise TypeError(f"{model} is not a class")
    docs: dict[str, str] = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = " ".join(inspect.cleandoc(text).split())
            case _:
                pass
    return docs
