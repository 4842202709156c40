-- Two roles for the platform's database, so that who breaks into the platform cannot change what it did:
--   the owner, which owns the tables and migrates (`manage.py migrate`, `set_up`), and
--   the application, as which pages and workers run: it adds to the audit and reads it, and can do no more with it.
-- As a superuser, in the platform's database, once it is set up; again after a restoration. Everything or nothing:
--   psql "$SUPERUSER_URL" --single-transaction -v ON_ERROR_STOP=1 -v owner=parley_owner -v application=parley_app \
--        -v owner_password=… -v application_password=… -f deploy/roles.sql

SELECT set_config('parley.roles_owner', :'owner', false) AS owner \gset set_
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', name, password)
FROM (VALUES (:'owner', :'owner_password'), (:'application', :'application_password')) AS wanted (name, password)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

CREATE EXTENSION IF NOT EXISTS vector;  -- only a superuser may, so the owner finds it made
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO :"owner";
GRANT USAGE ON SCHEMA public TO :"application";

-- What there is becomes the owner's: tables with their sequences and indexes, and functions that are no extension's.
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT oid::regclass AS name FROM pg_class
               WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO %I', one.name, current_setting('parley.roles_owner'));
    END LOOP;
    FOR one IN SELECT oid::regprocedure AS name FROM pg_proc
               WHERE pronamespace = 'public'::regnamespace
                 AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e') LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO %I', one.name, current_setting('parley.roles_owner'));
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"application";
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO :"application";
REVOKE UPDATE, DELETE, TRUNCATE ON labeling_auditevent FROM :"application";

-- And so of every table that a later migration makes.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"application";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO :"application";
