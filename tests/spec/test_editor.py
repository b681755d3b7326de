"""An editor with yaml-language-server completes, explains and checks a spec by the schema.

Runs where the server is installed: ``make editor``.
"""

import json
import os
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from sslreg.spec.json_schema import json_schema

SERVER = shutil.which("yaml-language-server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
pytestmark = pytest.mark.skipif(SERVER is None, reason="yaml-language-server is not installed")


class Editor:
    """Speaks the language server protocol over a process's pipes."""

    def __init__(self, process, schema):
        self.process, self.schema, self.numbers = process, str(schema), count(1)
        abilities = {"textDocument": {"hover": {"contentFormat": ["plaintext"]}}, "workspace": {"configuration": True}}
        self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": abilities})
        self.send({"method": "initialized", "params": {}})

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def receive(self):
        """The next message; the server's questions about settings are answered on the way."""
        while True:
            length = 0
            while line := self.process.stdout.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            assert length, "the server has gone"
            message = json.loads(self.process.stdout.read(length))
            if "id" not in message or "method" not in message:
                return message
            settings = {"schemas": {self.schema: "*.yaml"}, "schemaStore": {"enable": False}}
            asked = message["params"].get("items", []) if isinstance(message.get("params"), dict) else []
            answers = [settings if item.get("section") == "yaml" else None for item in asked]
            self.send({"id": message["id"], "result": answers})

    def ask(self, method, params):
        number = next(self.numbers)
        self.send({"id": number, "method": method, "params": params})
        while (message := self.receive()).get("id") != number:
            pass
        return message["result"]

    def open(self, text):
        """Open a spec in which ``|`` stands for the cursor; return the position of the cursor and the messages."""
        index = text.index("|")
        text = text.replace("|", "", 1)
        uri = f"file:///spec{next(self.numbers)}.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        while True:
            message = self.receive()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                break
        line_start = text.rfind("\n", 0, index) + 1
        position = {"line": text.count("\n", 0, index), "character": index - line_start}
        place = {"textDocument": {"uri": uri}, "position": position}
        return place, [found["message"] for found in message["params"]["diagnostics"]]


@pytest.fixture(scope="module")
def editor(acme, tmp_path_factory):
    schema = tmp_path_factory.mktemp("schema") / "sslreg.schema.json"
    schema.write_text(json.dumps(json_schema(acme)))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([SERVER, "--stdio"], **pipes) as process:
        yield Editor(process, schema)
        process.kill()


@pytest.fixture
def changed(valid, editor):
    """Opens valid.yaml with something replaced."""

    def open_(old, new):
        assert valid.count(old) == 1
        return editor.open(valid.replace(old, new))

    return open_


def test_a_right_spec_has_no_complaints(changed):
    assert changed("version: 1", "version: 1|")[1] == []


def test_a_spec_that_extends_another_has_none_either(editor):
    assert editor.open("extends: base.yaml\nloss: {temperature: 0.1}\nmodel: {use: pairs}|\n")[1] == []


@pytest.mark.parametrize(
    "written", ["{use: contrast, te|}", "{use: contrast, label: a, te|}", "\n  use: contrast\n  te|"]
)
def test_parameters_of_the_chosen_component_are_offered(editor, changed, written):
    place, _ = changed("{use: contrast, temperature: 0.5}", written)

    offered = {item["label"] for item in editor.ask("textDocument/completion", place)["items"]}
    assert "temperature" in offered
    assert "momentum" not in offered


def test_components_are_offered(editor, changed):
    place, _ = changed("{use: contrast, temperature: 0.5}", "{use: |}")

    offered = {item["label"] for item in editor.ask("textDocument/completion", place)["items"]}
    assert offered == {"contrast", "prototypes", "acme-ssl:twice", "other-ssl:twice"}


def test_a_parameter_is_explained(editor, changed):
    place, _ = changed("temperature: 0.5", "temper|ature: 0.5")

    assert "what similarities are divided by" in json.dumps(editor.ask("textDocument/hover", place))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("temperature: 0.5", "temprature: 0.5|", "temprature is not allowed"),
        ("temperature: 0.5", "temperature: '0.5'|", 'Expected "number"'),
        ("size: 32, ", "|", 'Missing property "size"'),
        ("use: contrast", "use: contrasd|", '"contrast"'),
        ("batch_size: 64", "batchsize: 64|", "batchsize is not allowed"),
    ],
)
def test_mistakes_are_marked(changed, old, new, complaint):
    (found,) = changed(old, new)[1]

    assert complaint in found
