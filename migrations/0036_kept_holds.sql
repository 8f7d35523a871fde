-- What is held for messages in doubt after their batch: counted for as long as each is to be tried again.
ALTER TABLE "budget_holds" ADD COLUMN "kept" boolean DEFAULT false NOT NULL;
