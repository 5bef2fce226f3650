#!/bin/sh
# Makes the roles that the programs work as, once, when the database volume is empty. None of them is a superuser: row
# security would not bind one. Run by the postgres image from /docker-entrypoint-initdb.d.
set -eu
read_secret() { tr -d '\n' < "/run/secrets/$1"; }
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set migrate="$(read_secret db_migrate_password)" --set api="$(read_secret db_api_password)" \
  --set worker="$(read_secret db_worker_password)" --set backup="$(read_secret db_backup_password)" --set db="$POSTGRES_DB" <<'SQL'
CREATE ROLE wb_migrate LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'migrate';
CREATE ROLE wb_api     LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'api';
CREATE ROLE wb_worker  LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'worker';
CREATE ROLE wb_backup  LOGIN NOSUPERUSER BYPASSRLS   PASSWORD :'backup';
GRANT pg_read_all_data TO wb_backup;
ALTER DATABASE :"db" OWNER TO wb_migrate;
ALTER SCHEMA public OWNER TO wb_migrate;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
