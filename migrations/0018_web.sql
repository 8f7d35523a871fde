-- A plan is kept as its figures and no longer as text. The texts cannot be turned into figures: those plans are to be
-- made again, which changes nothing that runs.
DELETE FROM "campaign_plans";--> statement-breakpoint
ALTER TABLE "campaign_plans" RENAME COLUMN "shown" TO "figures";
