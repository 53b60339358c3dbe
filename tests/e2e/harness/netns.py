# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A network namespace of a test's own, joined to this one by a pair of virtual Ethernet devices."""

import os
import subprocess

from .proc import ROOT, find

_count = 0


def _ip(*args, within=()):
    return subprocess.run([*within, find("ip"), *map(str, args)], check=True, capture_output=True, text=True).stdout


class Netns:
    """`near` and `far` are the addresses on this side and inside; `within` stands in front of a command that is to run
    inside. Gone with `close`, and all that runs there loses its network."""

    def __init__(self, mtu=1500):
        global _count
        _count += 1
        self.name = f"spantap-{os.getpid()}-{_count}"
        self.device = f"st{os.getpid() % 100000}-{_count}"
        net = f"10.{199 + _count % 50}.{os.getpid() % 250}"
        self.near, self.far = f"{net}.1", f"{net}.2"
        self.within = (find("ip"), "netns", "exec", self.name)
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self.device, "type", "veth", "peer", "name", "veth0", "netns", self.name)
            _ip("addr", "add", f"{self.near}/24", "dev", self.device)
            _ip("link", "set", self.device, "mtu", mtu, "up")
            self.inside("addr", "add", f"{self.far}/24", "dev", "veth0")
            self.inside("link", "set", "veth0", "mtu", mtu, "up")
            self.inside("link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    def inside(self, *args):
        return _ip(*args, within=self.within)

    def lose(self):
        """From here on one packet in thirty is lost, either way."""
        program = ROOT / "build" / "bpf" / "drop.bpf.o"
        subprocess.run(["make", "-C", ROOT, program.relative_to(ROOT)], check=True, capture_output=True)
        for within, device in (((), self.device), (self.within, "veth0")):
            for args in (("qdisc", "add", "dev", device, "clsact"),
                         ("filter", "add", "dev", device, "ingress", "bpf", "da", "obj", program, "sec", "tc")):
                subprocess.run([*within, find("tc"), *args], check=True, capture_output=True)

    def counter(self, name):
        """Of /proc/net/snmp and netstat inside, as IpFragCreates."""
        words = []
        for file in ("snmp", "netstat"):
            text = subprocess.run([*self.within, "cat", f"/proc/net/{file}"], check=True, capture_output=True, text=True)
            words += text.stdout.splitlines()
        for names, values in zip(words[::2], words[1::2]):
            head, *keys = names.split()
            for key, value in zip(keys, values.split()[1:]):
                if head.rstrip(":") + key == name:
                    return int(value)
        raise KeyError(name)

    def close(self):
        subprocess.run([find("ip"), "netns", "del", self.name], capture_output=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
