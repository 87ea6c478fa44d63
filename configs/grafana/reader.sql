-- A login for Grafana and for people that reads and does nothing else. Run once by the database's owner, as
--   psql "$DATABASE_URL" -v password="'...'" -f configs/grafana/reader.sql
CREATE ROLE tracker_grafana LOGIN PASSWORD :password IN ROLE tracker_reader CONNECTION LIMIT 5;
ALTER ROLE tracker_grafana SET default_transaction_read_only = on;
ALTER ROLE tracker_grafana SET statement_timeout = '15s';
ALTER ROLE tracker_grafana SET search_path = dashboards;
