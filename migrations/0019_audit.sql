CREATE TABLE "released_grants" (
	"contact_id" bigint NOT NULL,
	"grant_id" bigint NOT NULL,
	"campaign" text NOT NULL,
	"offer" text NOT NULL,
	"step_id" integer NOT NULL,
	"reserved_at" timestamp with time zone NOT NULL,
	"released_at" timestamp with time zone NOT NULL,
	CONSTRAINT "released_grants_contact_id_grant_id_pk" PRIMARY KEY("contact_id","grant_id")
);
