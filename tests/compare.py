#!/usr/bin/env python3
"""Compares traces of ours with the reference's of the same name: compare.py DIR TRACE...

What must be the same: on each topic, who said what in which order, with which
QoS and retain flag; what is subscribed to; and between topics the order in
which one thing follows from another (CAUSES). What makes no difference: the
order of lists, empty values, times and generated ids, which the recorder takes
out, and the manager's version. All else has to stand in ALLOWED.
"""
import collections
import difflib
import json
import os
import re
import sys

# Differences, each with who says that it is right: (scenarios, difference as a
# pattern, document, its words). A difference that does not come any more fails too.
ALLOWED = [
    (("s24_things_campaign",), r"subscription: \+ command//test\.ns:edge:device/req/# ", "docs/twin-api.md",
     "`command//<deviceId>/req/<request>/<operation>`"),
    (("s24_things_campaign",), r"subscription: \+ c//(test\.ns:edge:device)?/q/# ", "docs/twin-api.md",
     "`c///q/<request>/<operation>`"),
]

# One thing follows from another: all of the first kind come before all of the
# second. Patterns of what `label` says; if both have a group, of the same agent or
# request. Of one activity:
CAUSES = [
    ("backend applies", "manager reports IDENTIFYING"),
    ("manager reports IDENTIFYING", r"manager gives \S+ its part"),
    (r"manager gives (\S+) its part", r"(\S+) says IDENTIFIED"),
    (r"\S+ says IDENTIFIED", "manager reports IDENTIFIED"),
    ("manager reports IDENTIFIED", "manager reports RUNNING"),
    ("manager reports IDENTIFIED", r"manager tells \S+ DOWNLOAD"),
    (r"\S+ says DOWNLOAD_SUCCESS", r"manager tells \S+ UPDATE"),
    (r"\S+ says UPDATE_SUCCESS", r"manager tells \S+ ACTIVATE"),
    (r"\S+ says ACTIVATION_SUCCESS", r"manager tells \S+ CLEANUP"),
    (r"\S+ says CLEANUP_SUCCESS", "manager reports COMPLETED"),
    ("manager reports COMPLETED", r"manager asks \S+ for its inventory"),
    (r"manager asks (\S+) for its inventory", r"(\S+) tells its inventory"),
    (r"\S+ tells its inventory", "manager reports the inventory"),
]
# In twin mode also, whatever the activity:
CAUSES_TWIN = [
    ("manager asks who it is", "connector says who it is"),
    ("connector says who it is", "manager makes the feature"),
    ("manager makes the feature", "manager reports the inventory"),
    (r"backend makes request (\S+)", r"manager answers request (\S+)"),
]


def plain(value):
    """A message without what makes no difference."""
    if isinstance(value, dict):
        if str(value.get("id", "")).endswith("-update-manager") and "version" in value:
            value = {**value, "version": "<version>"}
        members = {key: plain(member) for key, member in value.items()}
        return {key: members[key] for key in sorted(members) if members[key] not in ("", [], {}, None)}
    if isinstance(value, list):
        return sorted((plain(member) for member in value), key=lambda member: json.dumps(member, sort_keys=True))
    return value


def spoken(event):
    """A recorded message as one line, the same for messages that are equal."""
    flags = f"QoS {event['qos']}{', retained' if event['retain'] else ''}"
    return f"{event['src']} ({flags}) {json.dumps(plain(event['payload']))}"


def topics(trace):
    """For each topic what was said on it, in order."""
    said = collections.defaultdict(list)
    for event in trace["events"]:
        said[event["topic"]].append(spoken(event))
    return said


def filters(trace):
    """What was subscribed to."""
    subscribed = [event["topics"] for event in trace["broker"] if event["event"].startswith("Received SUBSCRIBE")]
    return sorted({topic for topics in subscribed for topic in topics})


def label(event):
    """(activity, words) of a recorded message; none of one that CAUSES has nothing about."""
    topic, payload, who = event["topic"], event["payload"], event["src"]
    form, _, rest = topic.partition("/")
    body = payload.get("payload") or payload.get("value") or {}
    activity = payload.get("activityId") or body.get("activityId") or ""
    ours = who == "um"
    path = payload.get("path", "")
    if topic == "edge/thing/request":
        return "", "manager asks who it is"
    if topic == "edge/thing/response":
        return "", "connector says who it is"
    if ours and path == "/features/UpdateManager":
        return "", "manager makes the feature"
    if ours and (path.endswith("/properties") or topic == "deviceupdate/currentstate"):
        return activity, "manager reports the inventory"
    if ours and path.endswith("/outbox/messages/feedback"):
        return activity, f"manager reports {body['desiredStateFeedback']['status']}"
    if ours and topic == "deviceupdate/desiredstatefeedback":
        return activity, f"manager reports {body['status']}"
    if path.endswith("/apply") and not ours or topic == "deviceupdate/desiredstate":
        return activity, "backend applies"
    words = {"desiredstate": f"manager gives {form} its part", "currentstate/get": f"manager asks {form} for its inventory",
             "desiredstate/command": f"manager tells {form} {body.get('command')}",
             "desiredstatefeedback": f"{form} says {body.get('status')}", "currentstate": f"{form} tells its inventory"}
    return (activity, words[rest]) if rest in words else None


def requests(event):
    """The same of the requests and answers of a twin."""
    levels = event["topic"].split("/")
    if levels[0] != "command":
        return None
    return "", f"manager answers request {levels[4]}" if event["src"] == "um" else f"backend makes request {levels[4]}"


def broken_causes(trace):
    """The causes that come after what follows from them, or never."""
    said = [found for event in trace["events"] for found in (requests(event), label(event)) if found]
    twin = any(words == "manager asks who it is" for _, words in said)
    of_activity = [words for activity, words in said if activity == "act-1"]
    cases = [(cause, of_activity) for cause in CAUSES]
    cases += [(cause, [words for _, words in said]) for cause in CAUSES_TWIN if twin]
    for (first, second), said in cases:
        matches = [[(place, found) for place, words in enumerate(said) if (found := re.fullmatch(pattern, words))]
                   for pattern in (first, second)]
        pairs = [(cause, effect) for cause in matches[0] for effect in matches[1]
                 if not cause[1].groups() or not effect[1].groups() or cause[1].groups() == effect[1].groups()]
        if not pairs:
            yield f"order: never both '{first}' and '{second}'"
        for cause, effect in pairs:
            if effect[0] < cause[0]:
                yield f"order: '{effect[1].group()}' before '{cause[1].group()}'"


def differences(ours, reference):
    """Each difference as one line: - only the reference, + only ours."""
    theirs_said, ours_said = topics(reference), topics(ours)
    for topic in sorted(theirs_said.keys() | ours_said.keys()):
        for line in difflib.ndiff(theirs_said[topic], ours_said[topic]):
            if line[0] in "-+":
                yield f"{topic}: {line}"
    subscribed = filters(reference), filters(ours)
    yield from (f"subscription: - {topic}" for topic in subscribed[0] if topic not in subscribed[1])
    yield from (f"subscription: + {topic}" for topic in subscribed[1] if topic not in subscribed[0])
    yield from (f"reference, {broken}" for broken in broken_causes(reference))
    yield from (f"ours, {broken}" for broken in broken_causes(ours))


def check_sources():
    """Whether each document still says what ALLOWED takes from it."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    for _, _, document, words in ALLOWED:
        with open(os.path.join(root, document), encoding="utf-8") as file:
            if words not in " ".join(file.read().split()):
                yield f"{document} does not say '{words}'"


def main(folder, paths):
    failures = list(check_sources())
    for path in paths:
        with open(path, encoding="utf-8") as file:
            ours = json.load(file)
        name = ours["scenario"]
        with open(os.path.join(folder, name + ".json"), encoding="utf-8") as file:
            reference = json.load(file)
        allowed = {entry: 0 for entry in ALLOWED if name in entry[0]}
        for difference in differences(ours, reference):
            entry = next((entry for entry in allowed if re.match(entry[1], difference)), None)
            if entry:
                allowed[entry] += 1
            else:
                failures.append(f"{name}: {difference}")
        failures += [f"{name}: '{entry[1]}' does not come any more" for entry, count in allowed.items() if not count]
        print(f"{name}: {len(ours['events'])} messages of ours, {len(reference['events'])} of the reference")
        for (_, difference, document, words), count in allowed.items():
            print(f"  {count} allowed: {difference}\n    {document}: {words}")
    for failure in failures:
        print(f"FAIL {failure}")
    print(f"{len(paths)} compared, {len(failures)} failures")
    return 1 if failures or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
