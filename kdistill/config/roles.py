"""Whether a class can stand where another class, or a protocol, is expected."""

from typing import Any

from kdistill.errors import UserError


def plays(made: type, role: Any) -> bool:
    """Whether objects of `made` are of the class `role`, or have the methods of that protocol."""
    if not getattr(role, "_is_protocol", False):
        return issubclass(made, role)
    wanted = {
        name
        for base in role.__mro__
        if getattr(base, "_is_protocol", False)
        for name, value in vars(base).items()
        if callable(value) and (name == "__call__" or not name.startswith("_"))
    }
    return all(any(name in vars(base) for base in made.__mro__) for name in wanted)


def check_role(made: type, roles: tuple[Any, ...], target: str, key: str) -> None:
    """UserError naming `key` unless the class that `target` made plays one of `roles`."""
    if not any(plays(made, role) for role in roles):
        wanted = " or ".join(called(role) for role in roles)
        raise UserError(f"{key}: {target} is not {wanted}; derive from it")


def called(role: Any) -> str:
    """'a kdistill.losses.loss.Loss'."""
    home = role.__module__.replace("torch.nn.modules.module", "torch.nn")
    name = f"{home}.{role.__qualname__}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
