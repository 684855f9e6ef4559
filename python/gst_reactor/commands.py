# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands: methods of a model that viewers call, with typed and checked parameters.

`@command` marks a method. Its annotations and defaults become a schema that viewers are told and that every payload
is checked against before the method runs: a wrong payload is answered with an error that names the field, and the
model never sees it. `pydantic.Field` is understood where pydantic is installed; `Field` of this module does the same
without it.

Everything here runs in the model's own thread (see client.Context).
"""
import dataclasses
import enum
import inspect
import logging
import math
import operator
import re
import sys
import types
import typing

log = logging.getLogger("gst_reactor")

_MISSING = inspect.Parameter.empty
_NUMBERS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum",
            "multiple_of": "multipleOf", "min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"}
_ORDER = {"ge": operator.ge, "le": operator.le, "gt": operator.gt, "lt": operator.lt}


class CommandError(ValueError):
    """Raised by a handler to refuse a command: the viewer gets the text (and only of this exception)."""

    def __init__(self, message, field=None, code="refused"):
        super().__init__(message)
        self.field, self.code = field, code


class Field:
    """A parameter's default, description and limits, where pydantic is not wanted: `Field(0.5, ge=0, le=1)`."""

    def __init__(self, default=..., *, description=None, ge=None, le=None, gt=None, lt=None, multiple_of=None,
                 min_length=None, max_length=None, pattern=None):
        self.default = default
        self.description = description
        self.limits = {name: value for name, value in (
            ("ge", ge), ("le", le), ("gt", gt), ("lt", lt), ("multiple_of", multiple_of), ("min_length", min_length),
            ("max_length", max_length), ("pattern", pattern)) if value is not None}


def _read_field(value):
    """(default, description, limits) of a Field of ours or of pydantic (1 and 2); None for anything else."""
    if isinstance(value, Field):
        return (_MISSING if value.default is ... else value.default), value.description, dict(value.limits)
    if type(value).__name__ != "FieldInfo" or "pydantic" not in type(value).__module__:
        return None
    default = getattr(value, "default", ...)
    factory = getattr(value, "default_factory", None)
    if default is ... or type(default).__name__ in ("PydanticUndefinedType", "UndefinedType"):
        default = factory() if callable(factory) else _MISSING
    limits = {}
    for holder in [value, *getattr(value, "metadata", [])]:
        for name in _NUMBERS:
            limit = getattr(holder, name, None)
            if limit is not None and not callable(limit):
                limits[name] = limit
    return default, getattr(value, "description", None), limits


class _Type:
    """One annotation: its schema, and `read` from a JSON value (ValueError says what was expected)."""

    def __init__(self, annotation, where):
        self.annotation = annotation
        self.limits, self.description = {}, None
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is not None and hasattr(annotation, "__metadata__"):  # Annotated[T, …]
            inner = _Type(args[0], where)
            self.__dict__.update(inner.__dict__)
            self.limits = dict(inner.limits)
            for extra in annotation.__metadata__:
                field = _read_field(extra)
                if field is not None:
                    self.description = field[1] or self.description
                    self.limits.update(field[2])
                elif isinstance(extra, str):
                    self.description = extra
                else:
                    self.limits.update({name: getattr(extra, name) for name in _NUMBERS
                                        if getattr(extra, name, None) is not None})
            return
        union = getattr(types, "UnionType", None)
        self.items, self.options, self.choices = None, None, None
        if annotation in (_MISSING, typing.Any, object):
            self.kind, self.schema = "any", {}
        elif annotation is None or annotation is type(None):
            self.kind, self.schema = "null", {"type": "null"}
        elif origin is typing.Union or (union is not None and origin is union):
            self.options = [_Type(option, where) for option in args]
            solid = [option for option in self.options if option.kind != "null"]
            self.kind = "union"
            if len(solid) == 1:
                self.schema = {**solid[0].schema, "nullable": True}
            else:
                self.schema = {"anyOf": [option.schema for option in self.options]}
        elif origin is typing.Literal:
            self.kind, self.choices = "choice", {value: value for value in args}
            self.schema = {**_schema_of_values(args), "enum": list(args)}
        elif isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            self.kind, self.choices = "choice", {member.value: member for member in annotation}
            self.schema = {**_schema_of_values(list(self.choices)), "enum": list(self.choices)}
        elif hasattr(annotation, "model_validate") and hasattr(annotation, "model_json_schema"):
            self.kind, self.schema = "pydantic", annotation.model_json_schema()
        elif dataclasses.is_dataclass(annotation):
            self.kind = "dataclass"
            self.parameters = _parameters_of_dataclass(annotation, where)
            self.schema = {"type": "object", "properties": {p.name: p.schema() for p in self.parameters}}
        elif annotation is bool:
            self.kind, self.schema = "boolean", {"type": "boolean"}
        elif annotation is int:
            self.kind, self.schema = "integer", {"type": "integer"}
        elif annotation is float:
            self.kind, self.schema = "number", {"type": "number"}
        elif annotation is str:
            self.kind, self.schema = "string", {"type": "string"}
        elif annotation is dict or origin is dict:
            self.kind, self.schema = "object", {"type": "object"}
        elif annotation in (list, tuple) or origin in (list, tuple):
            many = [arg for arg in args if arg is not Ellipsis]
            self.kind, self.schema = "array", {"type": "array"}
            self.fixed = None
            if origin is tuple and args and Ellipsis not in args:
                self.fixed = [_Type(arg, where) for arg in args]
                self.schema.update(minItems=len(args), maxItems=len(args))
                if len({str(item.schema) for item in self.fixed}) == 1:
                    self.schema["items"] = self.fixed[0].schema
            elif many:
                self.items = _Type(many[0], where)
                self.schema["items"] = self.items.schema
        else:
            raise TypeError(f"{where}: a viewer cannot send {annotation!r}; use bool, int, float, str, list, dict, Optional, "
                            "Union, Literal, an Enum, a dataclass or a pydantic model")

    def read(self, value, path):
        value = self._read(value, path)
        limits = self.limits
        if limits and value is not None:
            self._check(value, path, limits)
        return value

    def _check(self, value, path, limits):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            for name, text in (("ge", "at least"), ("le", "at most"), ("gt", "more than"), ("lt", "less than")):
                limit = limits.get(name)
                if limit is not None and not _ORDER[name](value, limit):
                    raise CommandError(f"{path}: expected {text} {limit}, got {value}", path, "invalid")
            step = limits.get("multiple_of")
            if step is not None and not math.isclose(math.remainder(value, step), 0.0, abs_tol=1e-9):
                raise CommandError(f"{path}: expected a multiple of {step}, got {value}", path, "invalid")
        if isinstance(value, (str, list, dict, tuple)):
            for name, text, wrong in (("min_length", "at least", len(value).__lt__),
                                      ("max_length", "at most", len(value).__gt__)):
                limit = limits.get(name)
                if limit is not None and wrong(limit):
                    raise CommandError(f"{path}: expected {text} {limit} characters or items, got {len(value)}", path,
                                       "invalid")
        pattern = limits.get("pattern")
        if pattern is not None and isinstance(value, str) and not re.search(pattern, value):
            raise CommandError(f"{path}: {_short(value)} does not match {pattern}", path, "invalid")

    def _read(self, value, path):
        kind = self.kind

        def wrong(expected):
            return CommandError(f"{path}: expected {expected}, got {_short(value)}", path, "invalid")

        if kind == "any":
            return value
        if kind == "null":
            if value is not None:
                raise wrong("null")
            return None
        if kind == "boolean":
            if not isinstance(value, bool):
                raise wrong("true or false")
            return value
        if kind in ("integer", "number"):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise wrong("a whole number" if kind == "integer" else "a number")
            if kind == "number":
                return float(value)
            if value != int(value):
                raise wrong("a whole number")
            return int(value)
        if kind == "string":
            if not isinstance(value, str):
                raise wrong("a string")
            return value
        if kind == "object":
            if not isinstance(value, dict):
                raise wrong("an object")
            return value
        if kind == "array":
            if not isinstance(value, list):
                raise wrong("a list")
            if self.fixed is not None:
                if len(value) != len(self.fixed):
                    raise wrong(f"a list of {len(self.fixed)} values")
                return tuple(item.read(v, f"{path}[{i}]") for i, (item, v) in enumerate(zip(self.fixed, value)))
            if self.items is None:
                return value
            return [self.items.read(item, f"{path}[{index}]") for index, item in enumerate(value)]
        if kind == "choice":
            for choice, result in self.choices.items():
                if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                    return result
            raise wrong("one of " + ", ".join(repr(choice) for choice in self.choices))
        if kind == "union":
            errors = []
            for option in self.options:
                try:
                    return option.read(value, path)
                except CommandError as error:
                    errors.append((option, error))
            solid = [error for option, error in errors if option.kind != "null"]
            if len(solid) == 1:
                raise solid[0]
            raise wrong(" or ".join(option.kind for option in self.options))
        if kind == "dataclass":
            if not isinstance(value, dict):
                raise wrong("an object")
            return self.annotation(**_read_all(self.parameters, value, path + "."))
        try:
            return self.annotation.model_validate(value)
        except ValueError as error:
            first = (getattr(error, "errors", list)() or [{}])[0]
            field = ".".join([path, *(str(part) for part in first.get("loc", ()))])
            raise CommandError(f"{field}: {first.get('msg', 'invalid')}", field, "invalid") from None


def _schema_of_values(values):
    for kind, types in (("boolean", bool), ("integer", int), ("number", (int, float)), ("string", str)):
        if all(isinstance(value, types) and (kind == "boolean" or not isinstance(value, bool)) for value in values):
            return {"type": kind}
    return {}


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


class _Parameter:
    """One parameter of a handler."""

    def __init__(self, name, annotation, default, where):
        self.name, self.default = name, default
        field = _read_field(default)
        description, limits = None, {}
        if field is not None:
            self.default, description, limits = field
        if annotation is _MISSING and self.default not in (_MISSING, None):
            annotation = type(self.default)
            if annotation not in (bool, int, float, str, list, dict):
                annotation = _MISSING
        self.type = _Type(annotation, f"{where}, parameter {name}")
        self.type.limits.update(limits)
        self.description = description or self.type.description

    @property
    def required(self):
        return self.default is _MISSING

    def schema(self):
        schema = dict(self.type.schema)
        if self.description:
            schema["description"] = self.description
        for name, limit in self.type.limits.items():
            schema[_NUMBERS[name]] = limit
        schema["required"] = self.required
        if not self.required and isinstance(self.default, (str, int, float, bool, list, dict, type(None))):
            schema["default"] = self.default
        elif isinstance(self.default, enum.Enum):
            schema["default"] = self.default.value
        return schema


def _parameters_of_dataclass(cls, where):
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters = []
    for field in dataclasses.fields(cls):
        default = field.default if field.default is not dataclasses.MISSING else _MISSING
        if default is _MISSING and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        parameters.append(_Parameter(field.name, hints.get(field.name, _MISSING), default, where))
    return parameters


def _read_all(parameters, data, prefix=""):
    known = {parameter.name for parameter in parameters}
    for name in data:
        if name not in known:
            raise CommandError(f"{prefix}{name}: there is no such parameter; there is "
                               f"{', '.join(sorted(known)) or 'none at all'}", prefix + name, "invalid")
    values = {}
    for parameter in parameters:
        if parameter.name in data:
            values[parameter.name] = parameter.type.read(data[parameter.name], prefix + parameter.name)
        elif parameter.required:
            raise CommandError(f"{prefix}{parameter.name}: missing, and it has no default", prefix + parameter.name,
                               "invalid")
        else:
            values[parameter.name] = parameter.default
    return values


def command(name=None, description=None, coalesce=False):
    """Marks a method as a command of viewers: `@command`, `@command("set_prompt", description="…")`.

    coalesce: of several that wait, only the newest reaches the model (for sliders).
    """

    def mark(method):
        if not callable(method):
            raise TypeError("@command goes on a method")
        method.__reactor_command__ = (name if isinstance(name, str) else method.__name__,
                                      description or inspect.getdoc(method) or "", coalesce)
        return method

    if callable(name):
        function, name = name, None
        return mark(function)
    return mark


class _Handler:
    """A bound method with its schema."""

    def __init__(self, method):
        self.method = method
        self.name, self.description, self.coalesce = method.__reactor_command__
        function = getattr(method, "__func__", method)
        where = f"@command {getattr(function, '__qualname__', self.name)}"
        try:
            hints = typing.get_type_hints(function, include_extras=True)
        except Exception as error:
            raise TypeError(f"{where}: its annotations cannot be resolved in Python {sys.version_info[0]}."
                            f"{sys.version_info[1]}: {error}") from None
        self.parameters = []
        for parameter in inspect.signature(method).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise TypeError(f"{where}: parameter {parameter.name} has no name that a viewer could give: write every "
                                "parameter out")
            self.parameters.append(_Parameter(parameter.name, hints.get(parameter.name, _MISSING), parameter.default,
                                              where))

    def describe(self):
        return {"name": self.name, "description": self.description,
                "schema": {parameter.name: parameter.schema() for parameter in self.parameters}}

    def call(self, data):
        if data is None:
            data = {}
        if not isinstance(data, dict):
            names = ", ".join(parameter.name for parameter in self.parameters) or "no parameters"
            raise CommandError(f"data: expected an object with {names}, got {_short(data)}", "data", "invalid")
        return self.method(**_read_all(self.parameters, data))


class Commands:
    """All commands of a model. `handle` is what a Context calls with each Command."""

    def __init__(self, model):
        self._handlers = {}
        for name in dir(type(model)):
            if name.startswith("__") or not hasattr(getattr(type(model), name, None), "__reactor_command__"):
                continue
            # From the class: a model may keep its value under the command's name.
            handler = _Handler(getattr(type(model), name).__get__(model))
            if handler.name in self._handlers:
                raise TypeError(f"two methods of {type(model).__name__} are the command {handler.name!r}: give one another "
                                "name")
            self._handlers[handler.name] = handler

    def describe(self):
        """What viewers are told: [{name, description, schema}]."""
        return [handler.describe() for handler in self._handlers.values()]

    def handle(self, context, command):
        """Checks and runs one command and answers its sender. Never raises, except what ends the session."""
        from .client import SessionEnded

        handler = self._handlers.get(command.type)
        superseded = []
        if handler is not None and handler.coalesce:
            newer = context.pending_commands(command.type)
            if newer:
                superseded, command = [command, *newer[:-1]], newer[-1]
                context.command = command
        for old in superseded:
            context.answer(old, superseded=True)
        try:
            if handler is None:
                names = ", ".join(self._handlers) or "none"
                raise CommandError(f"there is no command {_short(command.type)}; there is {names}", "type", "unknown")
            handler.call(command.data)
        except CommandError as error:
            log.info("command %s of viewer %s refused: %s", _short(command.type), command.viewer, error)
            context.answer(command, code=error.code, message=str(error), field=error.field)
        except SessionEnded:
            raise
        except Exception:
            # What went wrong inside the model is for its log, not for viewers.
            log.exception("command %s raised", command.type)
            context.answer(command, code="failed", message=f"the model failed while it handled {command.type!r}")
        else:
            context.answer(command)
