"""Small mistakes that one line of Python can have: what mutants are drawn from."""

import ast
from collections.abc import Iterator

# by the operator in the syntax tree: as it is written, and what it becomes
OPERATORS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}


def changes(source: str) -> Iterator[tuple[int, str]]:
    """(number of a line from 1, that line changed), for changes within one line.

    Another comparison or arithmetic, `and` for `or`; a condition negated; a number one more or one
    less, a flag turned; None returned; a statement dropped; two arguments swapped. Annotations and
    texts stay as they are.
    """
    lines = [line.encode() for line in source.splitlines()]  # the tree counts columns in bytes
    for node in _code(ast.parse(source)):
        for (first, start), (last, end), new in _edits(node, lines):
            line = lines[first - 1]
            changed = line[:start] + new + line[end:]
            if first == last and changed != line:
                yield first, changed.decode()


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below `node` but for annotations and texts with values in them."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST) and not isinstance(each, ast.JoinedStr):
                yield each
                yield from _code(each)


Place = tuple[int, int]  # a line from 1, a column from 0
Edit = tuple[Place, Place, bytes]  # from, to, the new text


def _edits(node: ast.AST, lines: list[bytes]) -> Iterator[Edit]:
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            yield from _operator(left, operator, right, lines)
        case ast.BinOp(left=left, op=operator, right=right):
            yield from _operator(left, operator, right, lines)
        case ast.BoolOp(op=operator, values=[left, right, *_]):
            yield from _operator(left, operator, right, lines)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            before = _text(_start(node), _start(operand), lines)
            yield _start(node), _start(operand), before.replace(b"not ", b"", 1)
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield _start(test), _end(test), b"not (" + _text(_start(test), _end(test), lines) + b")"
        case ast.Constant(value=bool(value)):
            yield _start(node), _end(node), str(not value).encode()
        case ast.Constant(value=int(value) | float(value)):
            for other in (value + 1, value - 1):
                yield _start(node), _end(node), repr(other).encode()
        case ast.Return(value=ast.expr()):
            yield _start(node), _end(node), b"return None"
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Delete():
            yield _start(node), _end(node), b"pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield _start(node), _end(node), b"pass"
    if isinstance(node, ast.Call) and len(node.args) > 1:
        one, other = node.args[:2]
        if not isinstance(one, ast.Starred) and not isinstance(other, ast.Starred):
            texts = [_text(_start(each), _end(each), lines) for each in (other, one)]
            between = _text(_end(one), _start(other), lines)
            yield _start(one), _end(other), texts[0] + between + texts[1]


def _operator(
    left: ast.expr, operator: ast.AST, right: ast.expr, lines: list[bytes]
) -> Iterator[Edit]:
    old, new = OPERATORS.get(type(operator), ("", ""))
    between = _text(_end(left), _start(right), lines)  # with brackets, where there are some
    if old:
        yield _end(left), _start(right), between.replace(old.encode(), new.encode(), 1)


def _start(node: ast.stmt | ast.expr) -> Place:
    return node.lineno, node.col_offset


def _end(node: ast.stmt | ast.expr) -> Place:
    return node.end_lineno or 0, node.end_col_offset or 0


def _text(start: Place, end: Place, lines: list[bytes]) -> bytes:
    """What stands between, on one line; nothing where these are two."""
    return lines[start[0] - 1][start[1] : end[1]] if start[0] == end[0] else b""
