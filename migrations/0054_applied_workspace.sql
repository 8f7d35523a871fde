-- winback.yaml as it was when a version was applied, for a plan to show what changed of it: a hash said only that something did.
-- A version that was applied before keeps none.
ALTER TABLE "campaign_versions" ADD COLUMN "workspace_source" text;
