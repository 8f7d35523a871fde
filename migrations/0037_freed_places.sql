-- Places in a provider's rate, and in a day's number, go back when what they were taken for is taken from the queue or from
-- its worker: a touchpoint says on which day its place was taken.
ALTER TABLE "touchpoints" ADD COLUMN "rated_on" date;
--> statement-breakpoint
CREATE TABLE "freed_places" (
	"channel" text NOT NULL,
	"day" date NOT NULL,
	"places" integer NOT NULL
);
