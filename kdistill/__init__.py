"""kdistill: distil a cumbersome model into a convenient one, and prove what was gained."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdistill.library import Run, distill, load

__all__ = ["Run", "distill", "load"]


def __getattr__(name: str) -> Any:
    """The library is imported when asked for, so that `kdistill --help` need not wait for torch."""
    if name in __all__:
        from kdistill import library

        return getattr(library, name)
    raise AttributeError(f"module 'kdistill' has no attribute {name!r}")
