#!/usr/bin/env python3
"""Shows our discovery to Home Assistant, and looks at what it makes of it.

    check.py [--broker mosquitto]

First its own schemas judge the golden payloads of daemon/homeassistant. Then
its core runs with its real MQTT integration, against a mosquitto on loopback,
and gets these payloads and the examples of docs/mqtt.md as a device would
publish them. Nothing of Home Assistant is replaced but what has nothing to do
with MQTT: Bluetooth, its web server and uploads.

Needs the packages of requirements.txt; `make ha-check` installs them.
"""

import argparse
import asyncio
import copy
import datetime
import importlib
import json
import logging
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import types

bluetooth = types.ModuleType("habluetooth")
bluetooth.BluetoothServiceInfoBleak = object
sys.modules["habluetooth"] = bluetooth

import paho.mqtt.client as paho  # noqa: E402
import yaml  # noqa: E402
from homeassistant import loader  # noqa: E402
from homeassistant.components.mqtt import discovery, schemas  # noqa: E402
from homeassistant.config_entries import ConfigEntries, ConfigEntry  # noqa: E402
from homeassistant.const import __version__ as VERSION  # noqa: E402
from homeassistant.core import EVENT_STATE_CHANGED, HomeAssistant, valid_entity_id  # noqa: E402
from homeassistant.helpers import (  # noqa: E402
    area_registry, category_registry, device_registry, entity, entity_registry, floor_registry, frame,
    issue_registry, label_registry, restore_state, template, translation,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "daemon" / "homeassistant" / "testdata"
BASE = "facerecd/pi-door"  # of door.json

failures = []
passed = 0


def expect(what, got, want):
    global passed
    if got == want:
        passed += 1
    else:
        failures.append(what)
        print(f"FAIL {what}\n  got  {got!r}\n  want {want!r}")


def golden(name):
    return (GOLDEN / f"{name}.json").read_text()


def examples():
    """The examples of docs/mqtt.md by kind, in their order."""
    found = {}
    for kind, text in re.findall(r"^```json (\S+)\n(.*?)^```$", (ROOT / "docs" / "mqtt.md").read_text(), re.M | re.S):
        found.setdefault(kind, []).append(json.loads(text))
    return found


def check_schemas(name):
    """Judges one payload as discovery.py does, and more strictly: a key that
    Home Assistant does not know is dropped by it in silence, and found here."""
    payload = discovery.MQTTDiscoveryPayload(json.loads(golden(name)))
    topic = f"device/{payload['dev']['ids'][0]}/config"
    expect(f"{name}: topic {topic} is legal", bool(discovery.TOPIC_MATCHER.fullmatch(topic)), True)
    discovery._replace_all_abbreviations(payload)
    try:
        schemas.DEVICE_DISCOVERY_SCHEMA(copy.deepcopy(dict(payload)))
    except Exception as e:
        expect(f"{name}: the device is accepted", str(e), None)
        return
    unique = set()
    for key, config in payload["components"].items():
        platform = config.pop("platform")
        if not config:
            continue  # a removal
        expect(f"{name} {key}: an id that is not split", bool(re.fullmatch(r"[a-zA-Z0-9_-]+", key)), True)
        expect(f"{name} {key}: a unique id of its own", config["unique_id"] in unique, False)
        unique.add(config["unique_id"])
        entity_id = config["default_entity_id"]
        expect(f"{name} {key}: {entity_id} is an entity id", valid_entity_id(entity_id) and entity_id.startswith(platform + "."), True)
        given = set(config)
        component = discovery.MQTTDiscoveryPayload(config)
        component["device"], component["origin"] = payload["device"], payload["origin"]
        discovery._merge_common_device_options(component, payload)
        try:
            accepted = importlib.import_module(f"homeassistant.components.mqtt.{platform}").DISCOVERY_SCHEMA(component)
        except Exception as e:
            expect(f"{name} {key}: accepted", str(e), None)
            continue
        expect(f"{name} {key}: every key is known", given - set(accepted), set())


class Complaints(logging.Handler):
    """What Home Assistant's log says of MQTT from warnings on."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        cause = f": {record.exc_info[1]!r}" if record.exc_info else ""
        self.lines.append(f"{record.name}: {record.getMessage()}{cause}")


class Rig:
    """Home Assistant's core with MQTT, and a client that plays the device."""

    def __init__(self, port):
        self.port = port
        self.commands = []
        self.device = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self.device.on_message = lambda _c, _u, m: self.commands.append((m.topic, m.payload, m.retain))

    async def start(self):
        self.device.connect("127.0.0.1", self.port)
        self.device.subscribe("+/+/command/#", 1)
        self.device.loop_start()
        hass = self.hass = HomeAssistant(tempfile.mkdtemp(prefix="ha-"))
        pathlib.Path(hass.config.path("configuration.yaml")).touch()
        hass.config.skip_pip = True
        loader.async_setup(hass)
        hass.config_entries = ConfigEntries(hass, {})
        for part in (entity, frame, template, translation):
            part.async_setup(hass)
        await asyncio.gather(*(part.async_load(hass) for part in (
            area_registry, category_registry, device_registry, entity_registry, floor_registry,
            issue_registry, label_registry, restore_state,
        )), hass.config_entries.async_initialize())
        hass.config.components.update({"http", "file_upload"})
        hass.http = types.SimpleNamespace(register_view=lambda view: None)
        self.events = []
        hass.bus.async_listen(EVENT_STATE_CHANGED, lambda e: self.events.append(e.data))
        await hass.config_entries.async_add(ConfigEntry(
            domain="mqtt", title="MQTT", data={"broker": "127.0.0.1", "port": self.port}, options={}, version=1, minor_version=2,
            source="user", unique_id=None, discovery_keys=types.MappingProxyType({}), subentries_data=None,
        ))
        await hass.async_start()
        await self.settle()

    async def stop(self):
        self.device.loop_stop()
        await self.hass.async_stop(force=True)

    async def settle(self):
        """Waits until what was published before has come through Home Assistant:
        until it has said nothing new for a moment."""
        for _ in range(2):
            await asyncio.sleep(0.15)
            await self.hass.async_block_till_done()

    async def publish(self, topic, payload, retain=True):
        if isinstance(payload, dict):
            payload = json.dumps(payload)
        self.device.publish(topic, payload, 1, retain).wait_for_publish(5)
        await self.settle()

    async def discover(self, payload, subscribe=True):
        identity = (json.loads(payload) if payload else json.loads(golden("door")))["dev"]["ids"][0]
        await self.publish(f"homeassistant/device/{identity}/config", payload)
        if subscribe:  # new entities' subscriptions are bundled by a second and a half
            await asyncio.sleep(2)
            await self.settle()

    def state(self, entity_id):
        state = self.hass.states.get(entity_id)
        return state and state.state

    def attribute(self, entity_id, name):
        state = self.hass.states.get(entity_id)
        return state and state.attributes.get(name)


DOOR = [
    "event.pi_door_door_face", "binary_sensor.pi_door_door_in_view", "binary_sensor.pi_door_door_problem",
    "switch.pi_door_door_recognition", "sensor.pi_door_door_fps",
    "binary_sensor.pi_door_ana", "sensor.pi_door_ana_last_seen", "binary_sensor.pi_door_bo", "sensor.pi_door_bo_last_seen",
    "binary_sensor.pi_door_health", "sensor.pi_door_events_waiting", "sensor.pi_door_temperature", "sensor.pi_door_version",
]


async def check_door(r, sample):
    await r.discover(golden("door"))
    expect("one message makes all entities", sorted(s.entity_id for s in r.hass.states.async_all()), sorted(DOOR))
    expect("before the device is there, none is available", {r.state(e) for e in DOOR}, {"unavailable"})
    device, = device_registry.async_get(r.hass).devices.values()
    expect("the device", (device.name, device.model, device.sw_version, device.configuration_url),
           ("Front door", "Raspberry Pi 5 Model B", "1.0", "http://pi-door:4000/"))
    expect("an entity is called after its device", r.attribute("binary_sensor.pi_door_ana", "friendly_name"), "Front door Ana")

    await r.publish(f"{BASE}/availability", "online")
    in_view = "binary_sensor.pi_door_door_in_view"
    expect("then they are, but for a camera that may not see", {e for e in DOOR if r.state(e) == "unavailable"}, {in_view})

    good, bad = sample["status"]
    problem = "binary_sensor.pi_door_door_problem"
    await r.publish(f"{BASE}/door/status", good)
    expect("no problem", (r.state(problem), r.state(in_view)), ("off", "unknown"))
    await r.publish(f"{BASE}/door/present", sample["present"][0])
    expect("in view", (r.state(in_view), r.attribute(in_view, "people"), r.attribute(in_view, "unknown")), ("on", ["Ana"], 1))
    await r.publish(f"{BASE}/door/present", {**sample["present"][0], "people": [], "unknown": 0})
    expect("out of view", r.state(in_view), "off")
    await r.publish(f"{BASE}/door/status", bad)
    expect("a problem, and what to do", (r.state(problem), r.attribute(problem, "code"), r.attribute(problem, "hint")),
           ("on", bad["code"], bad["hint"]))
    expect("who cannot see does not say that nobody is there", r.state(in_view), "unavailable")
    await r.publish(f"{BASE}/door/status", good)

    present, never = sample["person"]
    await r.publish(f"{BASE}/person/ana", present)
    await r.publish(f"{BASE}/person/bo", never)
    ana, seen = "binary_sensor.pi_door_ana", "sensor.pi_door_ana_last_seen"
    expect("Ana is in view", (r.state(ana), r.attribute(ana, "camera"), r.attribute(ana, "confidence")), ("on", "Door", 0.998))
    expect("since", (r.state(seen), r.attribute(seen, "camera")), ("2026-11-24T11:54:18+00:00", "Door"))
    expect("Bo never was", (r.state("binary_sensor.pi_door_bo"), r.state("sensor.pi_door_bo_last_seen")), ("off", "unknown"))

    degraded, ok = sample["health"]
    health = "binary_sensor.pi_door_health"
    await r.publish(f"{BASE}/health", degraded)
    expect("degraded, and why", (r.state(health), r.attribute(health, "checks")), ("on", degraded["checks"]))
    expect("diagnostics", [r.state(f"sensor.pi_door_{e}") for e in ("door_fps", "events_waiting", "temperature", "version")],
           ["9.9", "3", "71.5", "1.0"])
    await r.publish(f"{BASE}/health", ok)
    expect("healthy", r.state(health), "off")
    expect("what is not known", [r.state(f"sensor.pi_door_{e}") for e in ("door_fps", "temperature")], ["unknown", "unknown"])


async def check_events(r, sample):
    face, topic = "event.pi_door_door_face", f"{BASE}/door/event"
    first, unknown, left = sample["event"]

    async def changes(payload, retain=False):
        before = len(r.events)
        await r.publish(topic, payload, retain)
        return sum(e["entity_id"] == face for e in r.events[before:])

    expect("an event", (await changes(first), r.attribute(face, "event_type")), (1, "recognized"))
    expect("its keys are attributes", {k: r.attribute(face, k) for k in first}, first)
    expect("a repeat is dropped", (await changes(first), r.attribute(face, "id")), (0, first["id"]))
    expect("an unknown face", (await changes(unknown), r.attribute(face, "event_type"), r.attribute(face, "stranger")),
           (1, "unknown", unknown["stranger"]))
    expect("left", (await changes(left), r.attribute(face, "event_type")), (1, "left"))
    expect("a repeat of several is dropped", [await changes(e) for e in (first, unknown, left)], [0, 0, 0])
    again = {**first, "boot": "another", "seq": 1}
    expect("a new run may count from one", await changes(again), 1)
    today = {k: v for k, v in first.items() if k not in ("boot", "seq")}
    expect("without a count nothing is dropped", [await changes(today), await changes(today)], [1, 1])
    expect("after that counted ones are not lost", await changes(first), 1)
    expect("a kind of event that is not known changes nothing", await changes({**left, "type": "later", "seq": 4714}), 0)

    await r.publish(f"{BASE}/availability", "offline")
    expect("offline", r.state(face), "unavailable")
    await r.publish(f"{BASE}/availability", "online")
    expect("the old event is shown again, which the automation of the page must not take for one",
           (r.state(face) not in ("unavailable", "unknown"), r.attribute(face, "id")), (True, first["id"]))
    expect("and repeats of before are still dropped", await changes(first), 0)


async def check_automation(r, sample):
    """Puts events before the condition of the page's door."""
    page = (ROOT / "docs" / "mqtt.md").read_text()
    automation, = yaml.safe_load(re.search(r"^```yaml\n(automation:.*?)^```$", page, re.M | re.S)[1])["automation"]
    condition = template.Template(automation["conditions"][0]["value_template"], r.hass)
    recognized, unknown, left = sample["event"]
    for seq, (what, payload, late, want) in enumerate((
        ("for Ana", recognized, 0, True),
        ("not for an event that waited", recognized, 60, False),
        ("not for one from the future", recognized, -60, False),
        ("not when the clock may be wrong", {**recognized, "clock_synced": False}, 0, False),
        ("not when it is unsure", {**recognized, "confidence": 0.9}, 0, False),
        ("not for somebody else", {**recognized, "person": {"id": "01M86P9C1X3Y5Z7A9B0C2D4E6F", "name": "Ana"}}, 0, False),
        ("not for a stranger", unknown, 0, False),
        ("not for Ana who leaves", left, 0, False),
    ), 5000):
        at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=late)
        time = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        await r.publish(f"{BASE}/door/event", {**payload, "time": time, "seq": seq}, retain=False)
        state = r.hass.states.get("event.pi_door_door_face")
        expect("the door opens " + what, (state.attributes["seq"], condition.async_render({"trigger": {"to_state": state}})), (seq, want))


async def check_switch(r, sample):
    switch, topic = "switch.pi_door_door_recognition", f"{BASE}/door/recognition"
    await r.publish(topic, "on")
    expect("recognition is on", (r.state(switch), r.attribute(switch, "assumed_state")), ("on", None))
    r.commands.clear()
    await r.hass.services.async_call("switch", "turn_off", {"entity_id": switch}, blocking=True)
    await r.settle()
    expect("the command", [(t, json.loads(p), kept) for t, p, kept in r.commands],
           [(f"{BASE}/command/recognition", sample["command-recognition"][0], False)])
    expect("until it is done it is on", r.state(switch), "on")
    await r.publish(topic, "off")
    expect("recognition is off", r.state(switch), "off")


async def check_removal(r):
    registry = entity_registry.async_get(r.hass)
    registry.async_update_entity("binary_sensor.pi_door_ana", new_entity_id="binary_sensor.my_ana")
    await r.settle()
    await r.discover(golden("removal"))
    expect("Bo is gone, and only Bo", sorted(registry.entities),
           sorted({*DOOR, "binary_sensor.my_ana"} - {"binary_sensor.pi_door_ana", "binary_sensor.pi_door_bo", "sensor.pi_door_bo_last_seen"}))
    renamed = json.loads(golden("removal"))
    renamed["cmps"] = {k: {**c, "name": "Anna"} if "Ana" == c.get("name") else c for k, c in renamed["cmps"].items() if len(c) > 1}
    await r.discover(json.dumps(renamed))
    expect("a new name, the same entity, as the user called it", r.attribute("binary_sensor.my_ana", "friendly_name"), "Front door Anna")
    await r.discover("")
    expect("an empty message removes the device", (len(registry.entities), len(device_registry.async_get(r.hass).devices)), (0, 0))


async def check_names(r):
    await r.discover(golden("everything"))
    count = sum(len(c) > 1 for c in json.loads(golden("everything"))["cmps"].values())
    expect("every entity of odd names is there", len(r.hass.states.async_all()), count)
    names = {s.attributes["friendly_name"] for s in r.hass.states.async_all("binary_sensor")}
    for name in ('+/# "Bo" {{ 1/0 }} <b>', "Мария", "ANA", 'Garage "left" + #1/2 in view'):
        expect(f"{name} is called so", f"Front door {name}" in names, True)
    await r.publish("house/faces/pi/availability", "online")
    await r.publish("house/faces/pi/door/face", b"\xff\xd8\xff\xe0", retain=False)
    expect("a picture", r.state("image.pi_door_last_face") not in ("unavailable", "unknown", None), True)


async def check_live(port):
    complaints = Complaints()
    logging.getLogger("homeassistant").addHandler(complaints)
    sample, r = examples(), Rig(port)
    await r.start()
    try:
        for file in sorted(GOLDEN.glob("*.json")):
            check_schemas(file.stem)  # here, as the schemas of templates want a running core
        await check_door(r, sample)
        await check_events(r, sample)
        await check_automation(r, sample)
        await check_switch(r, sample)
        await check_removal(r)
        await check_names(r)
    finally:
        await r.stop()
    # The one is provoked; the other is Home Assistant's own, whose MQTT may set up
    # two platforms at once.
    known = ("Invalid event type later", "calls async_forward_entry_setups for integration mqtt")
    said = [line for line in complaints.lines if not any(k in line for k in known)]
    expect("nothing to complain about", said, [])


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--broker", default="mosquitto", help="the mosquitto to start")
    options = options.parse_args()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    broker = subprocess.Popen([options.broker, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(50):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            broker.poll() is None or sys.exit(f"{options.broker} does not run")
            asyncio.run(asyncio.sleep(0.1))
        asyncio.run(asyncio.wait_for(check_live(port), 120))
    finally:
        broker.terminate()
        broker.wait(10)
    print(f"Home Assistant {VERSION}: {passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
