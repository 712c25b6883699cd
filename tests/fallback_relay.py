"""Kills the manager at a certain MQTT packet: see tests/fallback."""

import json
import socket
import threading

FEEDBACK = "deviceupdate/desiredstatefeedback"
ON_THE_WAY = ("IDENTIFYING", "IDENTIFIED", "RUNNING")
PUBLISH, PUBACK = 3, 4


class Relay:
    """Between the manager and its broker."""

    def __init__(self, broker_port, kill):
        self.broker_port, self.kill = broker_port, kill
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.passed, self.moment, self.awaited = None, None, None
        self.cut, self.turn = None, 0
        threading.Thread(target=self.accept, daemon=True).start()

    def arm(self, moment, counts_at_once):
        """Kills at a moment; None: never. Counts from the desired state, or at once."""
        with self.lock:
            self.passed, self.moment, self.awaited = 0 if counts_at_once else None, moment, None
            self.cut = None

    def next_turn(self):
        """What was connected before has no say any more."""
        with self.lock:
            self.turn += 1

    def accept(self):
        while True:
            try:
                manager, _ = self.listener.accept()
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self.broker_port))
            for source, sink, is_up in ((manager, broker, True), (broker, manager, False)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.pump, args=(source, sink, is_up, self.turn), daemon=True).start()

    def pump(self, source, sink, is_up, turn):
        buffer = b""
        try:
            while part := source.recv(65536):
                buffer += part
                while (end := packet_end(buffer)) is not None:
                    packet, buffer = buffer[:end], buffer[end:]
                    with self.lock:
                        if turn != self.turn:
                            return
                        if self.is_moment(packet, is_up):
                            self.kill()
                            return
                    sink.sendall(packet)
        except OSError:
            pass
        finally:
            for one in (source, sink):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            source.close()

    def is_moment(self, packet, is_up):
        if self.cut:
            return True
        topic, identifier, body = published(packet)
        if self.passed is None and not is_up and topic == b"deviceupdate/desiredstate":
            self.passed = 0
        if self.passed is None:
            return False
        self.passed += 1
        is_end = is_up and topic == FEEDBACK.encode() and json.loads(body)["payload"]["status"] not in ON_THE_WAY
        if self.moment == "end unacknowledged" and is_end:
            self.awaited = identifier
        is_awaited = self.awaited is not None and packet[0] >> 4 == PUBACK and packet[2:4] == self.awaited
        if self.passed == self.moment or self.moment == "end unsent" and is_end or not is_up and is_awaited:
            way = "to the broker" if is_up else "to the manager"
            self.cut = f"{topic.decode()} {body.decode()[:160]}" if topic else f"packet of type {packet[0] >> 4} {way}"
            return True
        return False


def packet_end(buffer):
    """Where the first packet ends; None: not yet (MQTT 3.1.1, section 2.2.3)."""
    length, shift = 0, 0
    for at, byte in enumerate(buffer[1:5], 2):
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return at + length if len(buffer) >= at + length else None
    return None


def published(packet):
    """Topic, identifier and payload of a PUBLISH; empty of any other packet."""
    if packet[0] >> 4 != PUBLISH:
        return b"", b"", b""
    at = 2
    while packet[at - 1] >= 0x80:
        at += 1
    length = int.from_bytes(packet[at:at + 2], "big")
    topic, rest = packet[at + 2:at + 2 + length], packet[at + 2 + length:]
    return (topic, rest[:2], rest[2:]) if packet[0] & 0x06 else (topic, b"", rest)
