"""A worker of the product, watched for crash points: ``python -m tests.crash.worker money``."""

import os
import sys

from tasks.worker import main
from tests.crash.points import arm

if __name__ == "__main__":
    os.setpgid(0, 0) if os.getpgid(0) != os.getpid() else None
    arm("worker")
    sys.exit(main(sys.argv[1]))
