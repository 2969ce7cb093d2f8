"""The product's relay, watched for crash points: ``python -m tests.crash.relay``."""

import os
import sys

from tasks.relay import main
from tests.crash.points import arm_relay

if __name__ == "__main__":
    os.setpgid(0, 0) if os.getpgid(0) != os.getpid() else None
    arm_relay()
    sys.exit(main())
