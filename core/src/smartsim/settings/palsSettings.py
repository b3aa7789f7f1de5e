"""Another path of the plugin's settings, as published in 0.8."""  # noqa: N999 - the published name

import sys

from smartsim.plugin.exports import alias_target

sys.modules[__name__] = alias_target(__name__)
