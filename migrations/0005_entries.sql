ALTER TABLE "episodes" ADD COLUMN "entry" text DEFAULT 'silence' NOT NULL;
--> statement-breakpoint
ALTER TABLE "episodes" ADD CONSTRAINT "episodes_entry" CHECK ("entry" IN ('silence', 'date', 'event') AND ("entry" = 'date' OR "lapsed_at" <= "assigned_at"));
--> statement-breakpoint
CREATE UNIQUE INDEX "episodes_entry_once" ON "episodes" USING btree ("contact_id","campaign","lapsed_at") WHERE entry <> 'silence' AND arm <> 'seed';
