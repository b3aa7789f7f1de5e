"""Which plugins are installed: found by entry points, loaded one at a time, each failure kept with its plugin.

The name of an entry point is the name of the launcher, database engine or extension, so that the catalogue is known
without importing any plugin. ``SMARTSIM_PLUGINS`` (only these) and ``SMARTSIM_DISABLE_PLUGINS`` (not these) restrict
it; both take names of plugins or of distributions, separated by commas.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from smartsim.config import DISABLE_PLUGINS, PLUGINS
from smartsim.error import PluginError
from smartsim.plugin.specs import API_VERSION
from smartsim.values import PluginInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.metadata import Distribution, EntryPoint  # noqa: TC004 - a provider is never turned into JSON

__all__ = ["GROUPS", "Catalogue", "PluginReport", "Provider", "catalogue", "core_version", "instantiate"]

CORE = "smartsim-core"
BUILTINS = "smartsim.builtins"
LAUNCHERS = "smartsim.launchers"
DATABASES = "smartsim.databases"
EXTENSIONS = "smartsim.extensions"
GROUPS: Mapping[str, str] = {
    BUILTINS: "builtin",
    LAUNCHERS: "launcher",
    DATABASES: "database",
    EXTENSIONS: "extension",
}
"""Entry-point groups and the kind of plugin in each."""


@frozen(kw_only=True)
class Provider:
    """One entry point that offers a plugin.

    Attributes:
        name: name of the plugin.
        group: entry-point group, see `GROUPS`.
        distribution: name of the distribution that brings it.
        version: version of that distribution.
        entry_point: loads it.
    """

    name: str
    group: str
    distribution: str
    version: str
    entry_point: EntryPoint = field(eq=False, repr=False)

    @property
    def kind(self) -> str:
        """``launcher``, ``database``, ``extension`` or ``builtin``."""
        return GROUPS[self.group]

    @property
    def core_range(self) -> str:
        """What its distribution declares of the core, for example ``>=1.0,<2``; empty when it declares nothing."""
        from packaging.requirements import InvalidRequirement, Requirement

        for text in (self.entry_point.dist.requires if self.entry_point.dist else None) or ():
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            if requirement.name.lower().replace("_", "-") == CORE:
                return str(requirement.specifier)
        return ""

    def __str__(self) -> str:
        return f"{self.kind} plugin {self.name!r} of distribution {self.distribution} {self.version}"


@frozen(kw_only=True)
class PluginReport:
    """One line of ``smart plugins``: a plugin, and what is wrong with it if anything is."""

    name: str
    kind: str
    distribution: str
    version: str
    api: tuple[int, int] | None = None
    capabilities: tuple[str, ...] = ()
    error: str | None = None


@frozen(kw_only=True)
class Catalogue:
    """The installed plugins that the environment does not exclude.

    Attributes:
        providers: all of them, sorted by group and name; several of one name are a clash.
        disabled: those that the environment excludes.
    """

    providers: tuple[Provider, ...] = ()
    disabled: tuple[Provider, ...] = ()

    def names(self, group: str) -> tuple[str, ...]:
        """Names of the plugins in `group`, sorted, each once."""
        return tuple(sorted({provider.name for provider in self.providers if provider.group == group}))

    def find(self, group: str, name: str) -> Provider | None:
        """The provider of `name` in `group`, or None when there is none.

        Raises:
            PluginError: several distributions provide it, or the environment disables it.
        """
        found = [provider for provider in self.providers if (provider.group, provider.name) == (group, name)]
        if len(found) > 1:
            owners = " and ".join(sorted(f"{provider.distribution} {provider.version}" for provider in found))
            raise PluginError(f"{GROUPS[group]} {name!r} is provided by {owners}: uninstall all but one")
        if not found and any((provider.group, provider.name) == (group, name) for provider in self.disabled):
            raise PluginError(
                f"{GROUPS[group]} {name!r} is installed but disabled by the environment: "
                "change SMARTSIM_PLUGINS or SMARTSIM_DISABLE_PLUGINS"
            )
        return found[0] if found else None

    def survey(self) -> list[PluginReport]:
        """Load every plugin and say what each is, or why it cannot be used. Never raises."""
        return [self._report(provider) for provider in self.providers if provider.group != BUILTINS]

    def _report(self, provider: Provider) -> PluginReport:
        report = PluginReport(
            name=provider.name,
            kind=provider.kind,
            distribution=provider.distribution,
            version=provider.version,
        )
        try:
            self.find(provider.group, provider.name)
            _, info = instantiate(provider)
        except PluginError as error:
            return evolve(report, error=str(error))
        return evolve(report, api=info.api, capabilities=tuple(sorted(info.capabilities)))


def instantiate(provider: Provider) -> tuple[object, PluginInfo]:
    """Load a plugin and check that it fits this core.

    An entry point names a module or a class; of a class a new instance is made, so that every experiment has its own.

    Returns:
        The plugin object and its word about itself.

    Raises:
        PluginError: it cannot be imported, does not fit this core, or is not what its entry point says.
    """
    _check_range(provider)
    try:
        loaded = provider.entry_point.load()
        plugin = loaded() if isinstance(loaded, type) else loaded
        info = plugin.smartsim_plugin_info()
    except Exception as error:  # whatever a plugin raises concerns that plugin only
        raise PluginError(f"{provider} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(info, PluginInfo):
        raise PluginError(f"{provider}: smartsim_plugin_info() returned {info!r} instead of a PluginInfo")
    if info.kind != provider.kind and provider.group != BUILTINS:
        raise PluginError(
            f"{provider} says of itself that it is a {info.kind}: mend its entry-point group or its PluginInfo"
        )
    if info.name != provider.name:
        raise PluginError(
            f"{provider} calls itself {info.name!r}: the entry point and PluginInfo must have the same name"
        )
    if info.api[0] != API_VERSION[0] or info.api[1] > API_VERSION[1]:
        raise PluginError(
            f"{provider} needs hook API {_dotted(info.api)}, this smartsim-core has {_dotted(API_VERSION)}: "
            f"upgrade {'smartsim-core' if info.api > API_VERSION else provider.distribution}"
        )
    return plugin, info


@cache
def catalogue() -> Catalogue:
    """The catalogue of this environment; reading it imports no plugin. Kept for the life of the process."""
    from importlib.metadata import distributions

    found = sorted(
        _providers(distributions()), key=lambda provider: (provider.group, provider.name, provider.distribution)
    )
    allowed, denied = frozenset(PLUGINS.read()), frozenset(DISABLE_PLUGINS.read())

    def enabled(provider: Provider) -> bool:
        marks = {provider.name, provider.distribution}
        return provider.group == BUILTINS or ((not allowed or bool(marks & allowed)) and not marks & denied)

    return Catalogue(
        providers=tuple(provider for provider in found if enabled(provider)),
        disabled=tuple(provider for provider in found if not enabled(provider)),
    )


def _providers(installed: Iterable[Distribution]) -> Iterable[Provider]:
    seen: set[str] = set()
    for dist in installed:
        # Parsing the entry points of a large environment takes tens of milliseconds; most have none of ours.
        if "[smartsim." not in (dist.read_text("entry_points.txt") or ""):
            continue
        points = [point for point in dist.entry_points if point.group in GROUPS]
        # The same distribution may be met twice on sys.path; the first is the one that Python imports.
        if not points or dist.name in seen:
            continue
        seen.add(dist.name)
        for point in points:
            yield Provider(
                name=point.name,
                group=point.group,
                distribution=dist.name,
                version=dist.version,
                entry_point=point,
            )


def _check_range(provider: Provider) -> None:
    from packaging.specifiers import SpecifierSet

    installed, wanted = core_version(), provider.core_range
    if wanted and not SpecifierSet(wanted).contains(installed, prereleases=True):
        raise PluginError(
            f"{provider} needs {CORE}{wanted}, installed is {installed}: "
            f"run `pip install --upgrade {CORE} {provider.distribution}`"
        )


def core_version() -> str:
    """Version of the installed core."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(CORE)
    except PackageNotFoundError:
        import smartsim

        return smartsim.__version__


def _dotted(api: tuple[int, int]) -> str:
    return ".".join(map(str, api))
