CREATE TABLE "spend_standings" (
	"percent" smallint PRIMARY KEY NOT NULL,
	"threshold" bigint NOT NULL,
	"computed_at" timestamp with time zone NOT NULL
);
