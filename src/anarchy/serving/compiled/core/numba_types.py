"""What the compiler makes of records, tables and states.

A state is a NamedTuple of tables. Numba would hand a tuple on part by part, some hundred values at
each call. Here it is an address of its parts instead, which nobody changes while compiled code
runs; so the parts are read as constants.
"""

from typing import Any, get_args, get_origin, get_type_hints

import numba
from llvmlite import ir
from numba.core import cgutils, datamodel
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    lower_getattr_generic,
    register_model,
    typeof_impl,
    unbox,
)
from numba.np.numpy_support import as_dtype

from anarchy.serving.compiled.core import tables

SCALARS: dict[Any, Any] = {
    int: numba.int64,
    float: numba.float64,
    bool: numba.boolean,
    tables.Ints: numba.int64[::1],
    tables.Floats: numba.float64[::1],
    tables.IntGrid: numba.int64[:, ::1],
    tables.FloatGrid: numba.float64[:, ::1],
}
"""Annotations that are no classes of ours."""


def type_of(annotation: Any) -> Any:
    """What an annotation means to the compiler."""
    if annotation in SCALARS:
        return SCALARS[annotation]
    if get_origin(annotation) in (tables.Table, tables.Grid):
        (kind,) = get_args(annotation)
        ndim = 1 if get_origin(annotation) is tables.Table else 2
        return numba.types.Array(type_of(kind), ndim, "C")
    if issubclass(annotation, tables.Record):
        return numba.from_dtype(tables.dtype_of(annotation))
    return State(annotation)


class State(numba.types.Type):
    """The type of a NamedTuple of ours."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.parts = {
            name: type_of(part) for name, part in get_type_hints(kind, include_extras=True).items()
        }
        super().__init__(f"{kind.__name__}")


def by_reference(kind: type) -> type:
    """Let compiled functions take such a NamedTuple by its address."""
    of_kind = State(kind)
    typeof_impl.register(kind)(lambda value, context: of_kind)
    return kind


@register_model(State)
class _Address(datamodel.models.PrimitiveModel):
    """An address of the parts."""

    def __init__(self, manager: Any, of: State) -> None:
        parts = [manager.lookup(part).get_value_type() for part in of.parts.values()]
        super().__init__(manager, of, ir.LiteralStructType(parts).as_pointer())


@infer_getattr
class _Parts(AttributeTemplate):
    key = State

    def generic_resolve(self, of: Any, name: Any) -> Any:
        return of.parts.get(name)


@lower_getattr_generic(State)
def _read(context: Any, builder: Any, of: State, address: Any, name: str) -> Any:
    place, kind = list(of.parts).index(name), of.parts[name]
    part = cgutils.gep_inbounds(builder, address, 0, place)
    if isinstance(kind, numba.types.Array):
        return _array(context, builder, kind, part)
    return _constant(builder, part)


def _array(context: Any, builder: Any, kind: Any, address: Any) -> Any:
    """An array at an address: data and shape are read, what follows from its type is not.

    It has no record of its memory, as nobody counts who holds it.
    """
    place = context.data_model_manager[kind].get_field_position
    value = ir.Constant(address.type.pointee, ir.Undefined)
    for field in ("nitems", "data", "shape"):
        read = _constant(builder, cgutils.gep_inbounds(builder, address, 0, place(field)))
        value = builder.insert_value(value, read, place(field))
    step = ir.IntType(64)(as_dtype(kind.dtype).itemsize)
    value = builder.insert_value(value, step, place("itemsize"))
    for axis in reversed(range(kind.ndim)):
        value = builder.insert_value(value, step, [place("strides"), axis])
        step = builder.mul(step, builder.extract_value(value, [place("shape"), axis]))
    return value


def _constant(builder: Any, address: Any) -> Any:
    """The value at an address, entry by entry, so that what is not used is not read."""
    kind = address.type.pointee
    if isinstance(kind, ir.ArrayType):
        value = ir.Constant(kind, ir.Undefined)
        for place in range(len(kind)):
            part = _constant(builder, cgutils.gep_inbounds(builder, address, 0, place))
            value = builder.insert_value(value, part, place)
        return value
    loaded = builder.load(address)
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded


@unbox(State)
def _unbox(of: State, tuple_: Any, c: Any) -> NativeValue:
    address = cgutils.alloca_once(c.builder, c.context.get_value_type(of).pointee)
    failed = cgutils.false_bit
    for place, part in enumerate(of.parts.values()):
        native = c.unbox(part, c.pyapi.tuple_getitem(tuple_, place))
        c.builder.store(native.value, cgutils.gep_inbounds(c.builder, address, 0, place))
        failed = c.builder.or_(failed, native.is_error)
    return NativeValue(address, is_error=failed)
