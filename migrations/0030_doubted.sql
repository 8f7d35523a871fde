-- A try of the message may have gone out, and the provider recognises the next by its key: what was promised stays promised.
ALTER TABLE "touchpoints" ADD COLUMN "doubted" boolean NOT NULL DEFAULT false;
