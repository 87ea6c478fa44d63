-- migrate:up
COMMENT ON COLUMN dashboards.fleet.role IS
  'holder or active: it acts; standby: another one does; null for services whose instances all act';

-- migrate:down
COMMENT ON COLUMN dashboards.fleet.role IS 'holder or standby, of services of which only one instance acts; null for others';
