ALTER TABLE "episodes" ADD COLUMN "entry" text DEFAULT 'silence' NOT NULL;
--> statement-breakpoint
ALTER TABLE "episodes" ADD CONSTRAINT "episodes_entry" CHECK ("entry" IN ('silence', 'date', 'event') AND ("entry" = 'date' OR "lapsed_at" <= "assigned_at"));
--> statement-breakpoint
CREATE UNIQUE INDEX "episodes_entry_once" ON "episodes" USING btree ("contact_id","campaign","lapsed_at") WHERE entry <> 'silence' AND arm <> 'seed';
--> statement-breakpoint
CREATE TABLE "outside_sends" (
	"contact_id" bigint NOT NULL,
	"sent_at" timestamp with time zone NOT NULL,
	"channel" text NOT NULL,
	"topic" text DEFAULT '' NOT NULL,
	"imported_at" timestamp with time zone NOT NULL,
	CONSTRAINT "outside_sends_contact_id_sent_at_channel_topic_pk" PRIMARY KEY("contact_id","sent_at","channel","topic")
);
