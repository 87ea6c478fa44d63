-- migrate:up
-- Replicas of a service beat side by side; a row whose instance is gone is taken over by one that lives.
ALTER TABLE tracker.service_heartbeats DROP CONSTRAINT service_heartbeats_pkey;
ALTER TABLE tracker.service_heartbeats ADD PRIMARY KEY (service, instance);
GRANT DELETE ON tracker.service_heartbeats TO tracker_reader;
COMMENT ON TABLE tracker.service_heartbeats IS 'written by each service, a row for each of its running instances';

-- Sent together with COMMIT: a transaction of whoever lost the lease meanwhile fails as a whole. FOR KEY SHARE holds
-- up a takeover, which deletes the row, until the commit, but not the holder's own renewal, which changes no key.
CREATE FUNCTION tracker.require_lease(wanted text, claimant text) RETURNS void
  LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  PERFORM FROM tracker.service_leases
  WHERE lease = wanted AND holder = claimant AND expires_at > clock_timestamp() FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the lease % is no longer held by %', wanted, claimant USING ERRCODE = 'TL001';
  END IF;
END $$;
REVOKE ALL ON FUNCTION tracker.require_lease(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tracker.require_lease(text, text) TO tracker_reader;

-- migrate:down
DROP FUNCTION tracker.require_lease(text, text);
REVOKE DELETE ON tracker.service_heartbeats FROM tracker_reader;
DELETE FROM tracker.service_heartbeats o
USING tracker.service_heartbeats n
WHERE n.service = o.service AND (n.beat_at, n.instance) > (o.beat_at, o.instance);
ALTER TABLE tracker.service_heartbeats DROP CONSTRAINT service_heartbeats_pkey;
ALTER TABLE tracker.service_heartbeats ADD PRIMARY KEY (service);
COMMENT ON TABLE tracker.service_heartbeats IS 'written by each service, its own row';
