"""What the operator should know and nothing of ours mends: true sentences beside drift and what was not understood."""

from __future__ import annotations

from .kernel_modules import same_compiler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Wanted


def of(wanted: Wanted, facts: Facts) -> list[dict[str, str]]:
    """Return {area, text} of everything worth a word on this host."""
    found = [*_system(wanted, facts)]
    if "npu_driver" in wanted:
        found += [*_compiler(facts), *_boards(facts), *_kernel(facts), *_functions(wanted["npu_driver"], facts)]
    return [{"area": area, "text": text} for area, text in found]


def _system(wanted: Wanted, facts: Facts) -> list[tuple[str, str]]:
    """A system is served by its package manager; a site that knows better names another one (hosts[].system)."""
    found, base = [], wanted.get("host_baseline", {})
    seen = facts["os"]
    if base and not base["system"] and not seen["known"] and seen["package_manager"]:
        text = "%s (ID %s) is not a system that was met before; it is taken for one with %s as usual, "
        words = (seen["pretty"] or "this system", seen["id"] or "none", seen["package_manager"])
        found.append(("system", (text + "unless hosts[].system in site.yml names another") % words))
    if base and base["time_sync"] and facts["system"]["clock"]["synchronized"] is False:
        found.append(("clock", "it is not synchronized yet; look at `chronyc sources` when that lasts"))
    return found


def _compiler(facts: Facts) -> list[tuple[str, str]]:
    """A module from another compiler mostly works; when a build fails this is the first thing to look at."""
    ours, kernels = facts["kernel_modules"]["gcc"], facts["kernel_modules"]["kernel_gcc"]
    if facts["npu_driver"]["complete"] or same_compiler(ours, kernels):
        return []
    text = "the host's gcc is %s, the kernel was built with %s: should the driver's module not build, install that one"
    return [("gcc", text % (ours, kernels))]


def _boards(facts: Facts) -> list[tuple[str, str]]:
    """The device id says the generation, and that is enough to install; only the product's name is not known."""
    unknown = sorted({entry["subsystem"] for entry in facts["npu"]["products"] if entry["product"] is None})
    text = "cards with subsystem %s are of a known generation and of no product that the catalog names (boards)"
    return [("board", text % ", ".join(unknown))] if unknown else []


def _functions(wanted: Wanted, facts: Facts) -> list[tuple[str, str]]:
    """A card of two chips has been seen with one function for both; so few may also be half of the cards."""
    chips, per_card = wanted["expected_count"], wanted.get("chips_per_card") or 1
    count = sum(1 for function in facts["npu"]["pci"] if function["id"] in wanted["pci_ids"])
    if count == chips or count != chips // per_card:
        return []
    text = "the bus shows %d functions for %d chips: one per card of %d chips, taken for all cards that the site names"
    return [("bus", text % (count, chips, per_card))]


def _kernel(facts: Facts) -> list[tuple[str, str]]:
    """DKMS builds for the next kernel when it starts, as long as it has headers; without them it is drift."""
    running, following = facts["os"]["kernel"], facts["os"].get("kernel_next")
    if not following or following == running or not facts["os"].get("kernel_next_headers"):
        return []
    text = "the next boot starts kernel %s instead of %s; its headers are there, so DKMS builds the driver for it then"
    return [("kernel", text % (following, running))]
