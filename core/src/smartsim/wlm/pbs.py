"""Another path of the plugin's scheduler functions, as published in 0.8."""

import sys

from smartsim.plugin.exports import alias_target

sys.modules[__name__] = alias_target(__name__)
