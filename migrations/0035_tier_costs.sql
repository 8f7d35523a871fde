-- What a tier's own draw and a variant cost is counted otherwise than before: all that was booked since the tier was
-- entered, by later tiers and by the return as well. The days there are sums of are counted again.
INSERT INTO "report_dirty" ("campaign", "day")
SELECT "campaign", "day" FROM "report_stages" UNION SELECT "campaign", "day" FROM "report_variants";
