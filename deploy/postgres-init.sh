#!/bin/bash
# Run once by the postgres image, in an empty data folder, as superuser: the roles of
# deploy/roles.sql, with passwords from the environment.
set -euo pipefail

# A password reaches the server as a literal that psql quotes, so any characters are fine.
psql_quietly() { psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"; }

psql_quietly --single-transaction --file "${ROLES_SQL:-/dukani/roles.sql}" >/dev/null

for role in migrator app relay platform backup; do
    variable="DUKANI_${role^^}_PASSWORD"
    psql_quietly --set "role=dukani_$role" --set "password=${!variable:?}" <<'SQL'
ALTER ROLE :"role" PASSWORD :'password';
SQL
done
