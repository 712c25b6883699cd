"""What the gateway is: which of its versions it runs, as each who knows says."""

import re
from collections import namedtuple

from gateway import succeed
from machine import Broken

# The slot that is booted, the version of its system, the version of the files, the slot
# that RAUC boots next, the slots that RAUC calls good, and the boot attempts of the slot.
State = namedtuple("State", "slot system files primary good attempts")


def look(machine):
    """The state of the device. The manager's inventory has to agree."""
    slot = succeed(machine, "cat /run/slot").strip()
    system = value(succeed(machine, "cat /etc/os-release"), "IMAGE_VERSION")
    files = succeed(machine, "cat /data/files/current/app/version").strip()
    inventory = succeed(machine, "kanto-update-manager inventory")
    for component, version in (("os-image", system), ("app", files)):
        if not re.search(rf"\b{component} +{version}\b", inventory):
            raise Broken(f"version {version} of {component} is not in the inventory:\n{inventory}")
    rauc = succeed(machine, "rauc status --output-format=shell")
    if value(rauc, "RAUC_SYSTEM_BOOTED_BOOTNAME") != slot:
        raise Broken(f"slot {slot} is booted, and RAUC says:\n{rauc}")
    bootnames, good = {}, set()
    for number, name in enumerate(value(rauc, "RAUC_SYSTEM_SLOTS").split(), 1):
        bootnames[name] = value(rauc, f"RAUC_SLOT_BOOTNAME_{number}")
        if value(rauc, f"RAUC_SLOT_BOOT_STATUS_{number}") == "good":
            good.add(bootnames[name])
    primary = bootnames[value(rauc, "RAUC_BOOT_PRIMARY")]
    attempts = int(succeed(machine, f"fw_printenv -n BOOT_{slot}_LEFT"))
    return State(slot, system, files, primary, good, attempts)


def value(text, name):
    """What a shell would assign to a variable."""
    match = re.search(rf"^{name}=['\"]?([^'\"\r\n]*)", text, re.MULTILINE)
    if not match:
        raise Broken(f"{name} is not in:\n{text}")
    return match.group(1)
