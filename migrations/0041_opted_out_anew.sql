-- Who opted out, and took the app off in a long window, is counted otherwise than before: the days are counted again.
INSERT INTO "report_dirty" ("campaign", "day") SELECT "campaign", "day" FROM "report_days" ON CONFLICT DO NOTHING;
