"""What is wrong with a module, or with what it did.

CallerError
├── ModuleRefusedError     the module is none that is run here
├── ModuleTrappedError     the module was stopped, or stopped itself
├── PackageRefusedError    the package is none
├── PluginMissingError     no such plugin is installed
├── PluginNotGrantedError  a grant for what the plugin does not ask for
└── PluginsNotHereError    this deployment runs no plugins
ConflictError
└── PluginUsedError        published flows use the plugin
"""

from chalicelib.errors import CallerError, ConflictError


class ModuleRefusedError(CallerError):
    """The WebAssembly module is none that is run here. Build it as docs/plugins.md says."""

    code = "module_refused"
    status = 422


class ModuleTrappedError(CallerError):
    """The module was stopped at a limit, or trapped. Mend the plugin, or give it less to do."""

    code = "module_trapped"
    status = 422


class PackageRefusedError(CallerError):
    """The file is no plugin package. Make one with `penstock plugins pack`."""

    code = "package_refused"
    status = 422


class PluginMissingError(CallerError):
    """No such plugin is installed. `penstock plugins list` shows those there are."""

    code = "plugin_missing"
    status = 404


class PluginNotGrantedError(CallerError):
    """A plugin is granted only what its manifest asks for. `penstock plugins list` shows what that is."""

    code = "plugin_not_asked"
    status = 422


class PluginsNotHereError(CallerError):
    """This deployment runs no plugins: they run in the embedded server alone. Use a node of Penstock's own there."""

    code = "plugins_not_here"
    status = 422


class PluginUsedError(ConflictError):
    """Published flows use the plugin. Publish them without it first, or force it."""

    code = "plugin_used"
