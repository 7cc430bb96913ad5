//! Nothing but a place for `tests/`: no dependency of this package is called `parlor`.
