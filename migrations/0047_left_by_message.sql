-- Who unsubscribed by a message has opted out, whatever became of their address since: all days are counted anew.
INSERT INTO "report_dirty" ("campaign", "day") SELECT "campaign", "day" FROM "report_days";
