-- What this installation is called by its providers. Numbers that were given out before go on without it: a message that is
-- tried again after an upgrade keeps the key of its first try.
INSERT INTO "settings" ("name", "value")
SELECT 'installation', concat_ws(' ', left(md5(gen_random_uuid()::text), 8),
  (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM "touchpoint_ids"),
  (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM "grant_ids"))
ON CONFLICT ("name") DO NOTHING;
