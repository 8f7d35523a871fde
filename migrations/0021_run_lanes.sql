ALTER TABLE "runs" ADD COLUMN "ahead" bigint[] DEFAULT '{}' NOT NULL;
