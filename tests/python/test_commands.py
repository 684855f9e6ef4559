# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands: schema, checks, answers. Runs on Python 3.9 and newer with the standard library."""
import dataclasses
import enum
import pathlib
import sys
import typing
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))

from gst_reactor import CommandError, Field, VideoModel, command  # noqa: E402
from gst_reactor.client import Command, Context  # noqa: E402
from gst_reactor.commands import Commands  # noqa: E402

try:
    import pydantic
except ImportError:
    pydantic = None


class Mode(enum.Enum):
    SLOW = "slow"
    FAST = "fast"


@dataclasses.dataclass
class Camera:
    x: float
    y: float = 0.0


class Recording(Context):
    """A context without a pipeline: keeps what viewers would be told."""

    def __init__(self):
        super().__init__()
        self.answers, self.announced = [], None
        self._note_session("s")
        self.wait_session(0)

    def _runtime(self, kind, data):
        if kind == "answer":
            self.answers.append(data)

    def feed(self, id, type, data=None, viewer="v"):
        self._note_command(id, viewer, {"type": type, "data": data})


class Model(VideoModel):
    def __init__(self):
        self.calls = []

    @command
    def plain(self):
        """Says nothing."""
        self.calls.append("plain")

    @command("set_prompt", description="Changes the prompt")
    def prompt(self, text: str = Field(..., description="what to draw", max_length=10), strength: float = 0.5):
        self.calls.append((text, strength))

    @command(coalesce=True)
    def slider(self, value: float = Field(0.0, ge=0, le=1)):
        self.calls.append(value)

    @command
    def many(self, n: int, flag: bool = False, mode: Mode = Mode.SLOW, kind: typing.Literal["a", "b", 3] = "a",
             points: typing.List[typing.Tuple[int, int]] = (), camera: typing.Optional[Camera] = None,
             extra: dict = None):
        self.calls.append((n, flag, mode, kind, points, camera, extra))

    @command
    def fails(self):
        raise ValueError("/secret/path")

    @command
    def refuses(self, n: int):
        raise CommandError("there is no camera 7", field="n")


class CommandsTest(unittest.TestCase):
    def setUp(self):
        self.context, self.model = Recording(), Model()
        self.commands = Commands(self.model)
        self.context.on_command = lambda c: self.commands.handle(self.context, c)

    def call(self, type, data=None, id=1):
        self.context.feed(id, type, data)
        self.context.should_stop()
        return self.context.answers[-1]

    def test_the_schema_says_type_limits_and_defaults(self):
        schema = {entry["name"]: entry for entry in self.commands.describe()}
        self.assertEqual(schema["set_prompt"], {
            "name": "set_prompt", "description": "Changes the prompt", "schema": {
                "text": {"type": "string", "description": "what to draw", "maxLength": 10, "required": True},
                "strength": {"type": "number", "required": False, "default": 0.5}}})
        self.assertEqual(schema["slider"]["schema"]["value"],
                         {"type": "number", "minimum": 0, "maximum": 1, "required": False, "default": 0.0})
        self.assertEqual(schema["plain"], {"name": "plain", "description": "Says nothing.", "schema": {}})
        many = schema["many"]["schema"]
        self.assertEqual(many["mode"], {"type": "string", "enum": ["slow", "fast"], "required": False, "default": "slow"})
        self.assertEqual(many["kind"]["enum"], ["a", "b", 3])
        self.assertEqual(many["n"], {"type": "integer", "required": True})
        self.assertEqual(many["points"]["items"], {"type": "array", "minItems": 2, "maxItems": 2,
                                                   "items": {"type": "integer"}})

    def test_valid_payloads_reach_the_model_typed(self):
        self.assertNotIn("code", self.call("set_prompt", {"text": "barn", "strength": 1}))
        self.assertEqual(self.model.calls, [("barn", 1.0)])
        self.assertIsInstance(self.model.calls[0][1], float)
        self.call("many", {"n": 3.0, "flag": True, "mode": "fast", "kind": 3, "points": [[1, 2]], "camera": {"x": 1},
                           "extra": {"a": [1]}})
        self.assertEqual(self.model.calls[1], (3, True, Mode.FAST, 3, [(1, 2)], Camera(1.0, 0.0), {"a": [1]}))
        self.assertNotIn("code", self.call("plain"))
        self.assertNotIn("code", self.call("plain", {}))

    def test_wrong_payloads_name_the_field_and_never_reach_the_model(self):
        cases = [
            ("set_prompt", {}, "text", "missing"),
            ("set_prompt", None, "text", "missing"),
            ("set_prompt", {"text": 5}, "text", "expected a string"),
            ("set_prompt", {"text": "x" * 11}, "text", "at most 10"),
            ("set_prompt", {"text": "a", "strength": "much"}, "strength", "expected a number"),
            ("set_prompt", {"text": "a", "strength": True}, "strength", "expected a number"),
            ("set_prompt", {"text": "a", "other": 1}, "other", "no such parameter"),
            ("set_prompt", ["a"], "data", "expected an object"),
            ("set_prompt", "a", "data", "expected an object"),
            ("slider", {"value": 1.5}, "value", "at most 1"),
            ("slider", {"value": -0.1}, "value", "at least 0"),
            ("slider", {"value": None}, "value", "expected a number"),
            ("many", {"n": 1.5}, "n", "whole number"),
            ("many", {"n": True}, "n", "whole number"),
            ("many", {"n": 1, "flag": 1}, "flag", "true or false"),
            ("many", {"n": 1, "mode": "other"}, "mode", "one of 'slow', 'fast'"),
            ("many", {"n": 1, "kind": True}, "kind", "one of"),
            ("many", {"n": 1, "points": [[1]]}, r"points[0]", "list of 2"),
            ("many", {"n": 1, "points": [[1, "b"]]}, r"points[0][1]", "whole number"),
            ("many", {"n": 1, "camera": {"y": 2}}, "camera.x", "missing"),
            ("many", {"n": 1, "camera": {"x": 2, "z": 1}}, "camera.z", "no such parameter"),
            ("nothing", {}, "type", "no command 'nothing'"),
            ("", {}, "type", "no command"),
        ]
        for type, data, field, text in cases:
            with self.subTest(f"{type} {data}"):
                answer = self.call(type, data)
                self.assertEqual(answer["field"], field)
                self.assertIn(text, answer["message"])
                self.assertEqual(answer["command"], 1)
        self.assertEqual(self.model.calls, [])

    def test_what_goes_wrong_inside_stays_inside(self):
        with self.assertLogs("gst_reactor", "ERROR") as logs:
            answer = self.call("fails", id=9)
        self.assertEqual((answer["command"], answer["code"]), (9, "failed"))
        self.assertNotIn("secret", answer["message"])
        self.assertIn("secret", logs.output[0])
        self.assertFalse(self.context.should_stop())

    def test_a_model_refuses_with_its_own_words(self):
        answer = self.call("refuses", {"n": 7})
        self.assertEqual((answer["code"], answer["message"], answer["field"]), ("refused", "there is no camera 7", "n"))

    def test_only_the_newest_of_a_flood_arrives_and_each_is_answered(self):
        for id in range(1, 41):
            self.context.feed(id, "slider", {"value": id / 40})
            if id == 20:
                self.context.feed(100, "plain")
        self.context.should_stop()
        self.assertEqual(self.model.calls, [1.0, "plain"])
        self.assertEqual(sorted(answer["command"] for answer in self.context.answers), [*range(1, 41), 100])
        self.assertEqual(len([a for a in self.context.answers if a.get("superseded")]), 39)

    def test_a_value_may_hide_its_command(self):
        class Hiding(VideoModel):
            def __init__(self):
                self.speed = 1

            @command
            def speed(self, value: int):
                self.speed = value

        model = Hiding()
        commands = Commands(model)
        self.context.on_command = lambda c: commands.handle(self.context, c)
        self.assertNotIn("code", self.call("speed", {"value": 7}))
        self.assertNotIn("code", self.call("speed", {"value": 8}))
        self.assertEqual(model.speed, 8)

    def test_order_is_kept(self):
        for id in range(1, 6):
            self.context.feed(id, "set_prompt", {"text": str(id)})
        self.context.should_stop()
        self.assertEqual([call[0] for call in self.model.calls], ["1", "2", "3", "4", "5"])

    def test_a_handler_knows_its_command(self):
        seen = []
        class Asking(VideoModel):
            @command
            def who(model):
                seen.append((self.context.command.viewer, self.context.command.id))

        commands = Commands(Asking())
        self.context.on_command = lambda c: commands.handle(self.context, c)
        self.context.feed(5, "who", None, viewer="v9")
        self.context.should_stop()
        self.assertEqual(seen, [("v9", 5)])
        self.assertIsNone(self.context.command)

    def test_what_cannot_be_a_command_is_said_at_once(self):
        class Odd(VideoModel):
            @command
            def star(self, *args):
                pass

        class Twice(VideoModel):
            @command("a")
            def one(self):
                pass

            @command("a")
            def two(self):
                pass

        class Unsendable(VideoModel):
            @command
            def takes(self, x: complex):
                pass

        for cls, text in ((Odd, "write every parameter out"), (Twice, "two methods"), (Unsendable, "cannot send")):
            with self.assertRaisesRegex(TypeError, text):
                Commands(cls())

    @unittest.skipIf(pydantic is None, "pydantic is not installed")
    def test_pydantic_fields_are_understood(self):
        class Settings(pydantic.BaseModel):
            seed: int
            name: str = "x"

        class Modern(VideoModel):
            calls = []

            @command
            def go(self, n: int = pydantic.Field(..., ge=1, le=5, description="how many"),
                   t: typing.Annotated[float, pydantic.Field(gt=0)] = 1.0, settings: Settings = None):
                self.calls.append((n, t, settings))

        model = Modern()
        commands = Commands(model)
        self.context.on_command = lambda c: commands.handle(self.context, c)
        schema = commands.describe()[0]["schema"]
        self.assertEqual(schema["n"], {"type": "integer", "description": "how many", "minimum": 1, "maximum": 5,
                                       "required": True})
        self.assertEqual(schema["t"]["exclusiveMinimum"], 0)
        self.assertEqual(self.call("go", {"n": 6})["field"], "n")
        self.assertEqual(self.call("go", {"n": 2, "t": 0})["field"], "t")
        self.assertEqual(self.call("go", {"n": 2, "settings": {"seed": "x"}})["field"], "settings.seed")
        self.assertNotIn("code", self.call("go", {"n": 2, "settings": {"seed": 4}}))
        self.assertEqual(model.calls[0][2].seed, 4)


if __name__ == "__main__":
    unittest.main()
