"""Everything that runs on one machine without a service being installed first.

``bin/dev``, ``bin/test`` and the benchmarks start real servers from here: Postgres and Valkey
out of wheels, the web process, the workers, the relay and the sandbox. Production uses none of
it: there the same programs are started by compose or Kubernetes.
"""
