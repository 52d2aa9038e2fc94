"""The `fields` parameter: `items[entity_id,items[sku]],total_count` trims an answer."""

import re
from typing import Any

Tree = dict[str, Any]  # a name without children has an empty tree: it is taken whole

ALLOWED = re.compile(r"[\w\[\],]+")


def read(text: str) -> Tree | None:
    """The tree of names; None when the text is malformed."""
    if not ALLOWED.fullmatch(text) or text.count("[") != text.count("]"):
        return None
    root: Tree = {}
    stack, last = [root], ""
    for token in re.findall(r"\w+|[\[\],]", text):
        if token == "[":
            if not last:
                return None
            stack.append(stack[-1][last])
            last = ""
        elif token == "]":
            if len(stack) == 1:
                return None
            stack.pop()
        elif token != ",":
            stack[-1][token] = {}
            last = token
    return root


def apply(value: Any, tree: Tree) -> Any:
    """Only the named keys; lists are trimmed row by row."""
    if isinstance(value, list):
        return [apply(one, tree) for one in value]
    if not isinstance(value, dict) or not tree:
        return value
    return {name: apply(value[name], inner) for name, inner in tree.items() if name in value}
