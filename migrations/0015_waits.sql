ALTER TABLE "touchpoints" ADD COLUMN "waits" text;
