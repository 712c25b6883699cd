#!/usr/bin/env python3
"""Validates recorded messages and the examples in docs against docs/schemas.

schemas.py [TRACE...]: each trace is one of the black-box recorder. Without any,
the examples alone are validated.
"""
import collections
import copy
import glob
import json
import os
import re
import sys

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "docs")

# What others send, by the end of the topic. Ours, to agents and to the backend.
RECEIVED = {"desiredstate": "desired-state", "desiredstate/command": "desired-state-command",
            "currentstate/get": "current-state-get", "ownerconsentfeedback": "consent-answer",
            "desiredstatefeedback": "feedback", "currentstate": "inventory"}
TO_BACKEND = {"desiredstatefeedback": "report", "currentstate": "inventory-report", "ownerconsent": "consent-question"}
TO_AGENT = {"desiredstate": "agent-desired-state", "desiredstate/command": "agent-command",
            "currentstate/get": "agent-current-state-get"}
EVENTS = {"/features/UpdateManager": "twin-feature", "/features/UpdateManager/properties": "twin-inventory",
          "/features/UpdateManager/outbox/messages/feedback": "twin-report",
          "/features/UpdateManager/outbox/messages/consent": "twin-consent-question"}
OTHERS = {"edge/thing/response": "edge-response", "device/update-manager": "status"}
ANSWERS = {"204": "twin-taken", "400": "twin-refused"}

# Requests of s24_things_invalid and s24_things_consent that a good manager takes,
# or refuses for another reason than their form: all others must not validate.
GOOD = {"req1", "req2", "req3", "early", "wrongcid", "ok-DOWNLOAD", "ok-UPDATE", "empty_ds", "refresh_empty",
        "refresh_missing"}

# Requests of s24_things_invalid for another thing or of another operation: no answer.
NONE_OF_OURS = {"other_thing", "unknown_op"}

# Where the reference's own messages are not what ours are held to.
# (schema, the validator's words as a pattern, where it is seen, the reason)
REFERENCE_DIFFERS = [
    ("report", "^activityId: '' should be non-empty", "s06_unknown",
     'docs/protocol.md, "The activity", step 1: a report on unknown domains has the activity id'),
    ("twin-report", "^value.activityId: '' should be non-empty", "s24_things_invalid",
     'docs/protocol.md, "The activity", step 1: a report on unknown domains has the activity id'),
    ("agent-current-state-get", "^activityId: '' should be non-empty", "s24_things_invalid",
     'docs/protocol.md, "When the current state is reported": agents are never asked with an empty id'),
]


class Schemas:
    """All schemas, checked."""

    def __init__(self):
        documents = {}
        for path in sorted(glob.glob(os.path.join(DOCS, "schemas", "*.json"))):
            with open(path, encoding="utf-8") as file:
                documents[os.path.basename(path)[:-5]] = json.load(file)
        resources = [(document["$id"], Resource.from_contents(document)) for document in documents.values()]
        registry = Registry().with_resources(resources)
        self.validators = {}
        for name, document in documents.items():
            Draft202012Validator.check_schema(document)
            if name != "parts":
                self.validators[name] = Draft202012Validator(document, registry=registry)

    def errors(self, name, message):
        """What is wrong with a message, a line each."""
        found = sorted(self.validators[name].iter_errors(message), key=lambda error: list(map(str, error.path)))
        return [f"{'.'.join(map(str, error.absolute_path)) or 'message'}: {error.message}" for error in found]


def schema_of(event):
    """The schema of a recorded message; "empty" for one without a payload, None if there is none."""
    topic, ours = event["topic"], event["src"] == "um"
    if topic in OTHERS:
        return OTHERS[topic]
    if topic == "edge/thing/request":
        return "empty"
    if topic == "e":
        return EVENTS.get(event["payload"].get("path")) if ours else None
    levels = topic.split("/")
    if levels[0] in ("command", "c") and len(levels) == 6:
        return ANSWERS.get(levels[5]) if ours else f"twin-{levels[5]}"
    form, _, rest = topic.partition("/")
    if not form.endswith("update"):
        return None
    if not ours:
        return RECEIVED.get(rest)
    return (TO_BACKEND if form == "deviceupdate" else {}).get(rest) or TO_AGENT.get(rest)


def restored(value, key=None):
    """A message with something in place of what the recorder took out of it."""
    if isinstance(value, dict):
        return {name: restored(member, name) for name, member in value.items()}
    if isinstance(value, list):
        return [restored(member) for member in value]
    if value == "<ts>" and key == "timestamp":
        return 1700000000000
    if isinstance(value, str):
        uuid = "00000000-0000-4000-8000-000000000000"
        return value.replace("<uuid>", uuid).replace("-state-<ts>", "-state-1700000000000")
    return value


def request_id(event):
    """The id of a request of a twin's backend; none if it is another message."""
    levels = event["topic"].split("/")
    return levels[4] if event["src"] == "backend" and levels[0] == "command" else None


class Report:
    """What was validated, and what is wrong."""

    def __init__(self, schemas):
        self.schemas, self.failures = schemas, []
        self.seen, self.excused, self.mutants = collections.Counter(), collections.Counter(), 0
        self.mutated, self.references = set(), set()

    def fail(self, where, what):
        self.failures.append(f"{where}: {what}")

    def trace(self, path):
        with open(path, encoding="utf-8") as file:
            trace = json.load(file)
        # The recorder's traces say how the binary was called, the reference's don't.
        ours = "um" in trace
        if not ours:
            self.references.add(trace["scenario"])
        if trace.get("config"):
            self.validate("configuration", trace["config"], f"{trace['scenario']}, configuration", ours)
        for number, event in enumerate(trace["events"]):
            where = f"{trace['scenario']}{'' if ours else ' of the reference'}, message {number} on {event['topic']}"
            name, request = schema_of(event), request_id(event)
            if request in NONE_OF_OURS:
                self.seen["(none of ours)"] += 1
            elif name == "empty" and event["payload"] == {"<raw>": ""}:
                self.seen["(empty)"] += 1
            elif name is None or name not in self.schemas.validators:
                self.fail(where, f"no schema for a message of {event['src']}")
            else:
                self.validate(name, restored(event["payload"]), where, ours, bool(request) and request not in GOOD)
                if ours and event["src"] == "um":
                    self.mutate(name, restored(event["payload"]), where)

    def validate(self, name, message, where, ours, bad=False):
        self.seen[f"{name}, to be refused" if bad else name] += 1
        errors = self.schemas.errors(name, message)
        if bad and not errors:
            self.fail(where, f"{name} takes what the manager refuses")
        for error in [] if bad else errors:
            excuse = next((entry for entry in REFERENCE_DIFFERS if entry[0] == name and re.search(entry[1], error)), None)
            if excuse and not ours:
                self.excused[excuse] += 1
            else:
                self.fail(where, f"{name}: {error}")

    def mutate(self, name, message, where):
        """A schema of ours that takes a message with a key more or less is no schema."""
        if name in self.mutated:
            return
        self.mutated.add(name)
        mutants = [("with a key more", {**message, "surplus": 1})]
        for key, value in message.items():
            if not (name == "status" and key != "status" and key != "version"):
                mutants.append((f"without {key}", {k: v for k, v in message.items() if k != key}))
            mutants.append((f"with another {key}", {**message, key: [value]}))
            if isinstance(value, dict):
                mutants.append((f"with a key more in {key}", {**copy.deepcopy(message), key: {**value, "surplus": 1}}))
        for what, mutant in mutants:
            self.mutants += 1
            if not self.schemas.errors(name, mutant):
                self.fail(where, f"{name} takes the message {what}")

    def examples(self, path):
        """Each block of JSON in a document has its schema's name in a comment before it."""
        with open(path, encoding="utf-8") as file:
            text = file.read()
        place = os.path.relpath(path, os.path.join(DOCS, ".."))
        named = set()
        for found in re.finditer(r"(?:<!-- schema: (\S+) -->\n)?^```json\n(.*?)^```$", text, re.M | re.S):
            name, body = found.groups()
            where = f"{place}, line {text.count(chr(10), 0, found.start()) + 1}"
            if name not in self.schemas.validators:
                self.fail(where, f"no schema is called {name}" if name else "an example without its schema's name")
                continue
            named.add(name)
            try:
                self.validate(name, json.loads(body), where, True)
            except json.JSONDecodeError as error:
                self.fail(where, f"not JSON: {error}")
        return named


def configuration_drifts():
    """Keys of src/config/keys.rs that docs/configuration.md or the schema lacks, and the other way round."""
    with open(os.path.join(DOCS, "..", "src", "config", "keys.rs"), encoding="utf-8") as file:
        source = file.read()
    with open(os.path.join(DOCS, "configuration.md"), encoding="utf-8") as file:
        table = file.read().partition("## All keys")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    rows = [[cell.strip(" *`") for cell in line.split("|")[1:4]] for line in lines]
    keys = []
    for table, before in (("KEYS", ("", "", "")), ("AGENT_KEYS", ("agents.<domain>.", "<domain>-", "<DOMAIN>_"))):
        body = re.search(rf"keys! {{ {table}, .*?\n}}", source, re.S).group()
        for names in re.findall(r'^    \w+, \w+, "(.*?)", "(.*?)",\s+"(.*?)"', body, re.M):
            keys.append([prefix + name if name else "" for prefix, name in zip(before, names)])
    yield from (f"no row for {key}" for key in keys if key not in rows)
    yield from (f"a row for {row}, which is no key" for row in rows if row not in keys)
    with open(os.path.join(DOCS, "schemas", "configuration.json"), encoding="utf-8") as file:
        members = json.load(file)["properties"]
    agent = members["agents"]["additionalProperties"]["properties"]
    known = {"agents": set(), "": {name for name in members if "properties" not in members[name]} - {"agents"}}
    known |= {name: set(members[name]["properties"]) for name in members if "properties" in members[name]}
    known["agents.<domain>"] = set(agent)
    for path in {key[0] for key in keys} - {""}:
        group, _, name = path.rpartition(".")
        if name not in known.get(group, ()):
            yield f"the schema lacks {path}"
    count = sum(map(len, known.values()))
    if count != len({key[0] for key in keys} - {""}):
        yield f"the schema has {count} keys"


def main(paths):
    report = Report(Schemas())
    for drift in configuration_drifts():
        report.fail("docs/configuration.md", drift)
    named = set()
    for path in sorted(glob.glob(os.path.join(DOCS, "**", "*.md"), recursive=True)):
        named |= report.examples(path)
    for name in sorted(set(report.schemas.validators) - named - {"envelope", "desired-state-command"}):
        report.fail(f"docs/schemas/{name}.json", "there is no example of it in docs/*.md")
    for path in paths:
        report.trace(path)
    for name, count in sorted(report.seen.items()):
        print(f"{count:6} {name}")
    for entry in REFERENCE_DIFFERS:
        name, words, scenario, reason = entry
        if report.excused[entry]:
            print(f"{report.excused[entry]:6} {name} of the reference excused ({words}): {reason}")
        elif scenario in report.references:
            report.fail("REFERENCE_DIFFERS", f"{name}, {words} is not seen any more")
    for failure in report.failures[:40]:
        print(f"FAIL {failure}")
    print(f"{sum(report.seen.values())} documents, {report.mutants} mutants, {len(report.failures)} failures")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
