-- Who may do what in Dukani's database. Run as superuser, in the product's own database, before
-- the first migration; running it again changes nothing. Used by bin/dev, by the tests and by
-- deploy/postgres-init.sh. Passwords are set by whoever runs it. Postgres 15 or newer.

SELECT pg_advisory_xact_lock(7346102);

DO $roles$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY[
        'dukani_owner', 'dukani_migrator', 'dukani_app', 'dukani_relay', 'dukani_platform',
        'dukani_search', 'dukani_definer', 'dukani_backup'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I', role_name);
        END IF;
    END LOOP;
END
$roles$;

-- Only the backup role may see every store; nobody may make roles or databases.
ALTER ROLE dukani_owner    NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;
ALTER ROLE dukani_definer  NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;
ALTER ROLE dukani_search   NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;
ALTER ROLE dukani_migrator   LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;
ALTER ROLE dukani_app        LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;
ALTER ROLE dukani_relay      LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;
ALTER ROLE dukani_platform   LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;
ALTER ROLE dukani_backup     LOGIN NOSUPERUSER   BYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION;

-- The migrator works as the owner, and the owner may hand functions to the two narrow roles.
GRANT dukani_owner TO dukani_migrator;
GRANT dukani_definer, dukani_search TO dukani_owner;
ALTER ROLE dukani_migrator SET role = 'dukani_owner';

ALTER ROLE dukani_migrator SET search_path = app, public;
ALTER ROLE dukani_app      SET search_path = app, public;
ALTER ROLE dukani_relay    SET search_path = app, public;
ALTER ROLE dukani_platform SET search_path = app, public;
ALTER ROLE dukani_backup   SET search_path = app, public;

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA public;

CREATE SCHEMA IF NOT EXISTS app AUTHORIZATION dukani_owner;
GRANT USAGE ON SCHEMA app TO
    dukani_app, dukani_relay, dukani_platform, dukani_backup, dukani_definer, dukani_search;
GRANT CREATE ON SCHEMA app TO dukani_definer, dukani_search;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- A backup that misses a new table is found out too late, so its grant needs no remembering.
ALTER DEFAULT PRIVILEGES FOR ROLE dukani_owner IN SCHEMA app
    GRANT SELECT ON TABLES TO dukani_backup;
ALTER DEFAULT PRIVILEGES FOR ROLE dukani_owner IN SCHEMA app
    GRANT SELECT ON SEQUENCES TO dukani_backup;

-- Grants on the database itself: the part that CREATE DATABASE … TEMPLATE does not copy.
DO $database$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO '
        'dukani_app, dukani_relay, dukani_platform, dukani_backup, dukani_migrator',
        current_database()
    );
END
$database$;
