"""Another path of `smartsim.settings.mpi`, as published in 0.8."""  # noqa: N999 - the published name

import sys

from smartsim.settings import mpi
from smartsim.settings.mpi import *  # noqa: F403 - for type checkers

sys.modules[__name__] = mpi
