"""Which finding is about which thing of the picture."""

from __future__ import annotations

from provision.host.facts import Facts, Finding, Gpu, Nic, PciDevice
from provision.host.quantity import PciAddress
from provision.view.labels import Slot, slot


class Marks:
    """The findings by what they are about, gravest first as they came."""

    def __init__(self, facts: Facts) -> None:
        slices = {one.uuid: gpu.uuid for gpu in facts.stable.gpus for one in gpu.mig_devices}
        self._order = facts.findings
        self._by_uuid: dict[str, list[Finding]] = {}
        self._by_slot: dict[Slot, list[Finding]] = {}
        self._by_address: dict[PciAddress, list[Finding]] = {}
        several = len(facts.stable.gpus) > 1
        for finding in facts.findings:
            if finding.severity == "note" and several and self._all(finding, facts):
                continue
            for subject in finding.subjects:
                self._by_uuid.setdefault(slices.get(subject, subject), []).append(finding)
                address = _address(subject)
                if address is not None:
                    self._by_address.setdefault(address, []).append(finding)
                    self._by_slot.setdefault(slot(address), []).append(finding)

    def of(self, device: Gpu | Nic | PciDevice) -> tuple[Finding, ...]:
        """The findings about a device. A card is meant as a whole, a network port is not."""
        if isinstance(device, Nic):
            return self.at(str(device.address))
        found = list(self._by_slot.get(slot(device.address), ()))
        if isinstance(device, Gpu):
            found += self._by_uuid.get(device.uuid, ())
        return tuple(one for one in self._order if one in found)

    def at(self, address: str) -> tuple[Finding, ...]:
        """The findings about one function of the bus, given as text."""
        known = _address(address)
        found = self._by_address.get(known, ()) if known else ()
        return tuple(one for one in self._order if one in found)

    @staticmethod
    def _all(finding: Finding, facts: Facts) -> bool:
        """It is about each GPU: a trait of the machine, which the list of findings tells once."""
        known = {address for one in finding.subjects if (address := _address(one)) is not None}
        named = {slot(address) for address in known}
        return all(
            gpu.uuid in finding.subjects or slot(gpu.address) in named for gpu in facts.stable.gpus
        )


def _address(text: str) -> PciAddress | None:
    try:
        return PciAddress.parse(text)
    except ValueError:
        return None
