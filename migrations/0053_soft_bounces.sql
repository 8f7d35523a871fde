-- Five passing failures in a row list an address, and those that are the sender's own would list everybody: what is said to be
-- about us is marked, and of a day it is counted how much came back, to be held against what was sent.
ALTER TABLE "delivery_events" ADD COLUMN "ours" boolean DEFAULT false NOT NULL;
--> statement-breakpoint
CREATE TABLE "soft_bounces" (
	"channel" text NOT NULL,
	"day" date NOT NULL,
	"stripe" smallint NOT NULL,
	"messages" integer NOT NULL,
	CONSTRAINT "soft_bounces_channel_day_stripe_pk" PRIMARY KEY("channel","day","stripe")
);
